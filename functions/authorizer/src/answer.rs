//! What the gateway is told, in the form that the event's gateway reads.

use std::{collections::BTreeMap, fmt};

use guard::{Decision, Unavailable};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};
use web::refusal::{self, Call, Outcome};

use crate::events::event::{Form, UnknownEvent};

/// What is thrown: Lambda reports the text as `errorMessage`, and the gateway goes by it.
///
/// REST and WebSocket APIs make `Unauthorized`, exactly, a 401 and everything else a 500 (gateway
/// responses `UNAUTHORIZED` and `AUTHORIZER_FAILURE`, which the template turns into 503). HTTP APIs
/// have no gateway responses: they answer the same text with a plain 401 as well, though their
/// manual only says that an authorizer which fails is a 500. A 401 from there rests on practice,
/// not on the manual; what is certain either way is that nothing passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizerError {
    /// 401.
    Unauthorized,
    /// 503.
    Unavailable(&'static str),
}

impl fmt::Display for AuthorizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized => f.write_str("Unauthorized"),
            Self::Unavailable(what) => write!(f, "Unavailable: {what}"),
        }
    }
}

impl std::error::Error for AuthorizerError {}

impl From<AuthorizerError> for Diagnostic {
    fn from(error: AuthorizerError) -> Self {
        let error_type = match error {
            AuthorizerError::Unauthorized => "Unauthorized",
            AuthorizerError::Unavailable(_) => "Unavailable",
        };
        Self {
            error_type: error_type.into(),
            error_message: error.to_string(),
        }
    }
}

impl From<Unavailable> for AuthorizerError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable.name())
    }
}

/// Logs an event that no adapter reads; nothing of it, since it may hold a token anywhere.
pub(crate) fn unknown_event(unknown: UnknownEvent) -> AuthorizerError {
    const REASON: &str = "unknown_event";
    tracing::error!(detail = %unknown, "an event that no adapter reads");
    refusal::log(Outcome::Unavailable, REASON, None, &Call::default());
    AuthorizerError::Unavailable(REASON)
}

/// The answer to a decision.
pub(crate) fn of(
    decision: Decision,
    form: &Form,
    usage_key: Option<&str>,
) -> Result<Value, AuthorizerError> {
    match decision {
        Decision::Allow(context) => {
            let mut answer = policy(
                form,
                true,
                &context.client_id.to_string(),
                &context.fields(),
            );
            if let (Form::Policy { .. }, Some(key)) = (form, usage_key) {
                answer["usageIdentifierKey"] = json!(key);
            }
            Ok(answer)
        }
        Decision::Deny { reason, client_id } => {
            let context = [
                ("message_code", reason.message_code()),
                ("message", reason.message()),
            ];
            let context = context
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            Ok(policy(form, false, &client_id.to_string(), &context))
        }
        Decision::Unauthorized(_) => Err(AuthorizerError::Unauthorized),
        Decision::Unavailable(unavailable) => Err(unavailable.into()),
    }
}

fn policy(form: &Form, allow: bool, principal: &str, context: &BTreeMap<String, String>) -> Value {
    match form {
        Form::Simple => json!({"isAuthorized": allow, "context": context}),
        Form::Policy { resource } => json!({
            "principalId": principal,
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Action": "execute-api:Invoke",
                    "Effect": if allow { "Allow" } else { "Deny" },
                    "Resource": resource,
                }],
            },
            "context": context,
        }),
    }
}
