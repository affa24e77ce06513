//! What Secrets Manager calls the function with.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::Failure;

/// One of the four steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Set,
    Test,
    Finish,
}

impl Step {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Create => "createSecret",
            Self::Set => "setSecret",
            Self::Test => "testSecret",
            Self::Finish => "finishSecret",
        }
    }

    /// The documentation has a second spelling.
    fn read(name: &str) -> Option<Self> {
        match name {
            "createSecret" | "create_secret" => Some(Self::Create),
            "setSecret" | "set_secret" => Some(Self::Set),
            "testSecret" | "test_secret" => Some(Self::Test),
            "finishSecret" | "finish_secret" => Some(Self::Finish),
            _ => None,
        }
    }
}

/// A step to be taken.
pub(crate) struct Event {
    pub(crate) step: Step,
    /// The secret's ARN.
    pub(crate) secret_id: String,
    /// `ClientRequestToken`: the version that the rotation is to make current.
    pub(crate) version: String,
    /// By which Secrets Manager knows, in another account, that a new value comes from its
    /// rotation.
    pub(crate) rotation_token: Option<Zeroizing<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    step: String,
    secret_id: String,
    client_request_token: String,
    rotation_token: Option<Zeroizing<String>>,
}

impl Event {
    /// Members that it does not know are for others.
    pub(crate) fn read(event: Value) -> Result<Self, Failure> {
        const EXPECTED: &str =
            "is not an event of Secrets Manager: Step, SecretId and ClientRequestToken are texts";
        // What serde says would repeat what is wrong, whatever that is.
        let wire: Wire =
            serde_json::from_value(event).map_err(|_| Failure::Final(EXPECTED.to_owned()))?;
        let step = Step::read(&wire.step).ok_or_else(|| {
            Failure::Final(
                "Step is none of createSecret, setSecret, testSecret and finishSecret".to_owned(),
            )
        })?;
        if wire.secret_id.is_empty() || wire.client_request_token.is_empty() {
            return Err(Failure::Final(EXPECTED.to_owned()));
        }
        Ok(Self {
            step,
            secret_id: wire.secret_id,
            version: wire.client_request_token,
            rotation_token: wire.rotation_token,
        })
    }
}

/// Without the rotation's token.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            step,
            secret_id,
            version,
            ..
        } = self;
        f.debug_struct("Event")
            .field("step", step)
            .field("secret_id", secret_id)
            .field("version", version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_of_secrets_manager_is_read_and_its_token_not_shown() {
        for (name, step) in [
            ("createSecret", Step::Create),
            ("set_secret", Step::Set),
            ("testSecret", Step::Test),
        ] {
            let event = json!({
                "Step": name,
                "SecretId": "arn",
                "ClientRequestToken": "v",
                "RotationToken": "hidden",
                "More": 1,
            });
            let event = Event::read(event).unwrap();
            assert_eq!(
                (event.step, &*event.secret_id, &*event.version),
                (step, "arn", "v")
            );
            assert_eq!(
                event.rotation_token.as_ref().map(|token| token.as_str()),
                Some("hidden")
            );
            assert!(!format!("{event:?}").contains("hidden"));
        }
    }

    #[test]
    fn anything_else_is_refused_without_being_repeated() {
        let good = json!({"Step": "finishSecret", "SecretId": "arn", "ClientRequestToken": "v"});
        Event::read(good.clone()).unwrap();
        for (member, value) in [
            ("Step", json!("lk_test_x")),
            ("Step", json!(1)),
            ("SecretId", json!("")),
            ("SecretId", Value::Null),
            ("ClientRequestToken", json!({"a": "lk_test_x"})),
        ] {
            let mut bad = good.clone();
            bad[member] = value;
            let failure = Event::read(bad).unwrap_err();
            assert!(
                matches!(failure, Failure::Final(_)) && !failure.to_string().contains("lk_test"),
                "{failure}"
            );
        }
        Event::read(json!([])).unwrap_err();
    }
}
