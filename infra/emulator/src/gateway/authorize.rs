//! Lambda authorizers: when they are asked, what they are given, and what their answers mean.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use sam::template::{
    Authorizer, AuthorizerKind, Description, IdentitySource, ResponseType, TemplateError,
};
use serde_json::{Map, Value};

use super::{
    call::Call,
    event,
    gateway_response::GatewayError,
    invoke::{self, Failure, Invoke},
    policy::{Decision, Verdict},
    route::Matched,
};

/// The error text with which an authorizer asks for a 401.
const UNAUTHORIZED: &str = "Unauthorized";

pub(super) struct Authorizers {
    validations: BTreeMap<String, regex::Regex>,
    cache: Mutex<HashMap<CacheKey, Cached>>,
}

#[derive(PartialEq, Eq, Hash)]
struct CacheKey {
    authorizer: String,
    identity: Vec<String>,
}

struct Cached {
    until: i64,
    verdict: Verdict,
}

impl Authorizers {
    pub(super) fn new(authorizers: &BTreeMap<String, Authorizer>) -> Result<Self, TemplateError> {
        let mut validations = BTreeMap::new();
        for (name, authorizer) in authorizers {
            if let AuthorizerKind::Token {
                validation: Some(expression),
                ..
            } = &authorizer.kind
            {
                let expression =
                    regex::Regex::new(&format!("^(?:{expression})$")).map_err(|_| {
                        TemplateError::new(name, "ValidationExpression is not a regular expression")
                    })?;
                validations.insert(name.clone(), expression);
            }
        }
        Ok(Self {
            validations,
            cache: Mutex::default(),
        })
    }

    /// Lets a call pass with the context for its function and the API key that it is counted under,
    /// or refuses it.
    pub(super) async fn admit(
        &self,
        description: &Description,
        invoker: &Arc<dyn Invoke>,
        authorizer: &Authorizer,
        call: &Call,
        matched: &Matched<'_>,
    ) -> Result<(Map<String, Value>, Option<String>), GatewayError> {
        let method_arn = event::method_arn(description, call);
        let identity = self.identity(description, authorizer, call, matched)?;
        let key = CacheKey {
            authorizer: authorizer.name.clone(),
            identity,
        };
        let verdict = if let Some(verdict) = self.cached(&key, call.received) {
            verdict
        } else {
            let event = match &authorizer.kind {
                AuthorizerKind::Token { .. } => event::token(&key.identity.concat(), &method_arn),
                AuthorizerKind::Request { .. } => {
                    event::request(description, call, matched, &method_arn)
                }
            };
            let verdict = ask(description, invoker, authorizer, event).await?;
            self.remember(key, authorizer, call.received, &verdict);
            verdict
        };
        let gateway_error = match verdict.decide(&method_arn) {
            Decision::Allow => return Ok((verdict.authorizer_context(), verdict.usage_key)),
            Decision::ExplicitDeny => {
                "User is not authorized to access this resource with an explicit deny"
            }
            Decision::ImplicitDeny => "User is not authorized to access this resource",
        };
        Err(GatewayError::new(ResponseType::AccessDenied, gateway_error)
            .with_authorizer(verdict.authorizer_context()))
    }

    /// The values of the identity sources. One that is missing or empty is a 401 without asking the
    /// function.
    fn identity(
        &self,
        description: &Description,
        authorizer: &Authorizer,
        call: &Call,
        matched: &Matched<'_>,
    ) -> Result<Vec<String>, GatewayError> {
        let unauthorized = || {
            GatewayError::new(ResponseType::Unauthorized, UNAUTHORIZED)
                .because("identity source missing")
        };
        let present = |value: Option<String>| {
            value
                .filter(|value| !value.is_empty())
                .ok_or_else(unauthorized)
        };
        match &authorizer.kind {
            AuthorizerKind::Token { header, .. } => {
                let token = present(call.header(header).map(str::to_owned))?;
                match self.validations.get(&authorizer.name) {
                    Some(expression) if !expression.is_match(&token) => {
                        Err(unauthorized()
                            .because("token does not match the validation expression"))
                    }
                    _ => Ok(vec![token]),
                }
            }
            AuthorizerKind::Request { sources } => {
                let context = Value::Object(event::request_context(
                    description,
                    call,
                    Some(matched.resource),
                ));
                let value = |source: &IdentitySource| match source {
                    IdentitySource::Header(name) => call.header(name).map(str::to_owned),
                    IdentitySource::Query(name) => call
                        .query
                        .get(name)
                        .and_then(|values| values.last())
                        .cloned(),
                    IdentitySource::StageVariable(name) => {
                        description.api.stage_variables.get(name).cloned()
                    }
                    IdentitySource::Context(path) => {
                        super::gateway_response::lookup(&context, path)
                    }
                };
                sources
                    .iter()
                    .map(|source| present(value(source)))
                    .collect()
            }
        }
    }

    fn cached(&self, key: &CacheKey, now: i64) -> Option<Verdict> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache
            .get(key)
            .filter(|cached| now < cached.until)
            .map(|cached| cached.verdict.clone())
    }

    fn remember(&self, key: CacheKey, authorizer: &Authorizer, now: i64, verdict: &Verdict) {
        let ttl = i64::try_from(authorizer.ttl.as_millis()).unwrap_or(i64::MAX);
        if ttl == 0 {
            return;
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|_, cached| now < cached.until);
        cache.insert(
            key,
            Cached {
                until: now.saturating_add(ttl),
                verdict: verdict.clone(),
            },
        );
    }
}

/// An authorizer has only its own timeout; the integration's deadline does not apply to it
/// (observed on AWS).
async fn ask(
    description: &Description,
    invoker: &Arc<dyn Invoke>,
    authorizer: &Authorizer,
    event: Value,
) -> Result<Verdict, GatewayError> {
    let Some(function) = description.functions.get(&authorizer.function) else {
        return Err(
            GatewayError::silent(ResponseType::AuthorizerConfigurationError)
                .because("no such function"),
        );
    };
    match invoke::call(invoker, function, event, None).await {
        Ok(answer) => Verdict::parse(&answer).map_err(|reason| {
            GatewayError::silent(ResponseType::AuthorizerConfigurationError).because(reason)
        }),
        Err(Failure::Function(error)) if error.message == UNAUTHORIZED => {
            Err(GatewayError::new(ResponseType::Unauthorized, UNAUTHORIZED)
                .because("the authorizer said so"))
        }
        Err(Failure::Function(error)) => {
            Err(GatewayError::silent(ResponseType::AuthorizerFailure).because(&error.error_type))
        }
        Err(Failure::Deadline | Failure::EventTooLarge) => {
            Err(GatewayError::silent(ResponseType::AuthorizerFailure)
                .because("the event is too large"))
        }
    }
}
