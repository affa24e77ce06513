//! Options of the template that are off by default and protect what live keys open: nobody is to
//! run live keys without them and not know it.

use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use domain::error::causes;
use runtime::{Ambient, Env};
use serde_json::Value;

use super::{
    super::report::{Check, Outcome, Several, Trouble},
    aws::{Aws, answered},
    keys::store,
    named,
    tables::Tables,
};

pub(super) const OPERATOR_ROLE: Check = Check(
    "options.operator_role",
    "Deploy with the parameter OperatorRoleArn (docs/permissions.md): tables and pepper then \
     refuse the rest of the account.",
);
pub(super) const ALARM_RECEIVER: Check = Check(
    "options.alarm_receiver",
    "Deploy with the parameter AlarmEmail or AlarmTopicArn (docs/alarms.md).",
);
pub(super) const CANARY: Check = Check(
    "options.canary",
    "Deploy with the parameter CanarySecretArn (docs/canary.md).",
);

/// What the template's output says of an option that is off.
const NONE: &str = "none";

/// Whether the platform has live keys: asked once, and only where an option is off.
pub(super) struct LiveKeys<'a> {
    env: &'a Env,
    ambient: &'a Ambient,
    known: Option<Result<bool, Trouble>>,
}

impl<'a> LiveKeys<'a> {
    pub(super) const fn new(env: &'a Env, ambient: &'a Ambient) -> Self {
        Self {
            env,
            ambient,
            known: None,
        }
    }

    /// What it means that something is off: wrong once there are live keys, and said in any case.
    async fn trouble(&mut self, off: &str) -> Trouble {
        let known = match self.known.take() {
            Some(known) => known,
            None => self.read().await,
        };
        let trouble = match &known {
            Ok(true) => Trouble::Wrong(format!("{off}, and there are live keys")),
            Ok(false) => Trouble::Unknown(format!(
                "{off}; that is wrong once there are live keys, and there are none"
            )),
            Err(Trouble::Wrong(why) | Trouble::Unknown(why)) => Trouble::Unknown(format!(
                "{off}; that is wrong if there are live keys, which cannot be told: {why}"
            )),
        };
        self.known = Some(known);
        trouble
    }

    async fn read(&self) -> Result<bool, Trouble> {
        let store = store(self.env, self.ambient)?;
        store
            .has_live_keys()
            .await
            .map_err(|error| Trouble::Unknown(causes(&error)))
    }
}

/// That tables and pepper are shut to everybody whom nobody named (LEAK-12), by their own policies.
pub(super) async fn operator_role(
    tables: &Tables,
    env: &Env,
    aws: &Aws,
    live: &mut LiveKeys<'_>,
) -> Outcome {
    let (mut several, mut open) = (Several::default(), Vec::new());
    for table in tables {
        let Some((name, table)) = several.take(table.clone()) else {
            continue;
        };
        let asked = aws
            .tables
            .get_resource_policy()
            .resource_arn(table.table_arn().unwrap_or_default())
            .send()
            .await;
        let policy = match asked {
            Err(error) if error.code() == Some("PolicyNotFoundException") => Ok(None),
            asked => answered("dynamodb:GetResourcePolicy", asked).map(|found| found.policy),
        };
        if let Some(policy) = several.take(policy)
            && !shuts_out(policy.as_deref())
        {
            open.push(name);
        }
    }
    if let Some(secret) = several.take(named(env, "LATCHKEY_PEPPER_SECRET")) {
        let asked = aws.secrets.get_resource_policy().secret_id(secret).send();
        let policy = answered("secretsmanager:GetResourcePolicy", asked.await);
        if let Some(policy) = several.take(policy)
            && !shuts_out(policy.resource_policy())
        {
            open.push("the pepper".into());
        }
    }
    if !open.is_empty() {
        let off = format!("nothing shuts the account out of {}", open.join(", "));
        several.take::<()>(Err(live.trouble(&off).await));
    }
    several.outcome("tables and pepper refuse everybody but their functions and the named roles")
}

/// Whether a resource policy refuses everybody but some.
fn shuts_out(policy: Option<&str>) -> bool {
    let policy: Value = policy
        .and_then(|policy| serde_json::from_str(policy).ok())
        .unwrap_or_default();
    let shuts_out = |statement: &Value| {
        let everybody = &statement["Principal"];
        statement["Effect"] == "Deny" && (everybody == "*" || everybody["AWS"] == "*")
    };
    match &policy["Statement"] {
        Value::Array(statements) => statements.iter().any(shuts_out),
        one => shuts_out(one),
    }
}

/// That somebody is told of alarms: without a receiver the rules about foreign use are not even
/// made.
pub(super) async fn alarm_receiver(env: &Env, live: &mut LiveKeys<'_>) -> Outcome {
    match named(env, "LATCHKEY_ALARM_TOPIC")? {
        NONE => Err(live
            .trouble("nobody is told of alarms, and no rule watches for foreign use")
            .await),
        topic => Ok(format!("alarms go to {topic}")),
    }
}

/// That the bound of a revocation is measured. It protects nothing by itself, so its absence is
/// never wrong.
pub(super) fn canary(env: &Env) -> Outcome {
    match named(env, "LATCHKEY_CANARY_MINUTES")? {
        NONE => Err(Trouble::Unknown(
            "no canary measures how soon a revocation holds here (docs/canary.md)".into(),
        )),
        minutes => Ok(format!("measured every {minutes} minutes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leak_12_only_a_deny_of_everybody_shuts_the_account_out() {
        for (policy, expected) in [
            (
                r#"{"Statement": [{"Effect": "Deny", "Principal": "*"}]}"#,
                true,
            ),
            (
                r#"{"Statement": {"Effect": "Deny", "Principal": {"AWS": "*"}}}"#,
                true,
            ),
            (
                r#"{"Statement": [{"Effect": "Allow", "Principal": "*"}]}"#,
                false,
            ),
            (
                r#"{"Statement": [{"Effect": "Deny", "Principal": {"AWS": "arn:x"}}]}"#,
                false,
            ),
            (r#"{"Statement": []}"#, false),
            ("no JSON", false),
        ] {
            assert_eq!(shuts_out(Some(policy)), expected, "{policy}");
        }
        assert!(!shuts_out(None));
    }
}
