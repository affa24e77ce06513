//! What a secret's value holds: a key's `client_id` and `client_secret`, and whatever its owner
//! keeps beside them.

use std::{collections::BTreeMap, fmt};

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::Failure;

const CLIENT_ID: &str = "client_id";
const CLIENT_SECRET: &str = "client_secret";

/// A value as it is stored. It cannot be printed.
pub(crate) struct Stored {
    client_id: String,
    secret: Zeroizing<String>,
    /// Untouched, to the last digit of a number.
    others: BTreeMap<String, Box<RawValue>>,
}

impl Stored {
    /// Reads a `SecretString`. What is wrong with it is said without repeating any of it.
    pub(crate) fn read(text: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::Final(format!("the secret's value {what}"));
        let mut others: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text)
            .map_err(|_| wrong("is no JSON object with client_id and client_secret"))?;
        let mut member = |name: &str| {
            let raw = others
                .remove(name)
                .ok_or_else(|| wrong(&format!("has no {name}")))?;
            serde_json::from_str::<Zeroizing<String>>(raw.get())
                .map_err(|_| wrong(&format!("has a {name} that is no text")))
        };
        let (client_id, secret) = (member(CLIENT_ID)?, member(CLIENT_SECRET)?);
        // It becomes a part of a path.
        if client_id.is_empty() || !client_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(wrong("has a client_id that is none"));
        }
        Ok(Self {
            client_id: client_id.to_string(),
            secret,
            others,
        })
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// To be sent to the deployment and to nobody else.
    pub(crate) const fn secret(&self) -> &Zeroizing<String> {
        &self.secret
    }

    /// Whether both hold the same secret of the same key.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.client_id == other.client_id && self.secret == other.secret
    }

    /// The text of this value with another secret.
    pub(crate) fn with_secret(&self, secret: &str) -> Result<Zeroizing<String>, Failure> {
        let failed = |_| Failure::Final("the new value cannot be written".to_owned());
        let raw = |text: &str| serde_json::value::to_raw_value(text).map_err(failed);
        let own = [
            (CLIENT_ID, raw(&self.client_id)?),
            (CLIENT_SECRET, raw(secret)?),
        ];
        let members: BTreeMap<&str, &RawValue> = own
            .iter()
            .map(|(name, raw)| (*name, &**raw))
            .chain(self.others.iter().map(|(name, raw)| (&**name, &**raw)))
            .collect();
        serde_json::to_string(&members)
            .map(Zeroizing::new)
            .map_err(failed)
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_secret_leaves_every_other_member_as_it_is() {
        let text = r#"{"url":"https://a.example","n":12345678901234567890.1234567890,"client_secret":"old","o":{"b":[1,2], "a":null},"client_id":"id1"}"#;
        let stored = Stored::read(text).unwrap();
        let written = stored.with_secret("n\"ew").unwrap();
        let expected = r#"{"client_id":"id1","client_secret":"n\"ew","n":12345678901234567890.1234567890,"o":{"b":[1,2], "a":null},"url":"https://a.example"}"#;
        assert_eq!(written.as_str(), expected);
        let again = Stored::read(&written).unwrap();
        assert_eq!(
            (again.client_id(), again.secret().as_str()),
            ("id1", "n\"ew")
        );
        assert!(!again.is_same(&stored) && again.is_same(&Stored::read(&written).unwrap()));
        assert_eq!(format!("{stored:?}"), r#"Stored { client_id: "id1", .. }"#);
    }

    #[test]
    fn leak_1_a_value_that_is_none_is_refused_without_being_repeated() {
        for text in [
            "hunter2",
            "",
            r#"["hunter2"]"#,
            r#"{"client_id":"id"}"#,
            r#"{"client_secret":"hunter2"}"#,
            r#"{"client_id":"id","client_secret":{"a":"hunter2"}}"#,
            r#"{"client_id":["hunter2"],"client_secret":"s"}"#,
            r#"{"client_id":"../hunter2","client_secret":"s"}"#,
            r#"{"client_id":"","client_secret":"hunter2"}"#,
        ] {
            let failure = Stored::read(text).unwrap_err();
            assert!(
                matches!(failure, Failure::Final(_)) && !failure.to_string().contains("hunter2"),
                "{text}: {failure}"
            );
        }
    }
}
