//! Policy documents as they stand in a template, their intrinsic functions resolved.

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::{
    condition::{self, Condition},
    error::PolicyError,
    pattern::{arn_like, like_ignoring_case},
    request::Request,
};

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) allows: bool,
    /// Whom a resource's policy is about; a role's policy names nobody.
    pub(super) principals: Vec<Named>,
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) conditions: Vec<Condition>,
}

/// Somebody whom a resource's policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// `*`
    Everybody,
    /// The account: whoever in it its own policies let.
    Account(String),
    /// A role or a user, by ARN.
    Arn(String),
    /// A service of AWS. None of ours calls as one.
    Service,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    version: String,
    #[serde(rename = "Id")]
    _id: Option<String>,
    #[serde(deserialize_with = "one_or_many")]
    statement: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Written {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    principal: Option<Value>,
    #[serde(deserialize_with = "one_or_many")]
    action: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    resource: Vec<String>,
    #[serde(default)]
    condition: serde_json::Map<String, Value>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

impl Policy {
    /// Reads the policy of a role, which names no principals.
    ///
    /// # Errors
    /// Whatever of it is malformed or not understood.
    pub fn of_role(document: &Value) -> Result<Self, PolicyError> {
        Self::read(document, false)
    }

    /// Reads the policy of a resource, which names principals in every statement.
    ///
    /// # Errors
    /// Whatever of it is malformed or not understood.
    pub fn of_resource(document: &Value) -> Result<Self, PolicyError> {
        Self::read(document, true)
    }

    fn read(document: &Value, with_principals: bool) -> Result<Self, PolicyError> {
        let document = Document::deserialize(document).map_err(|e| PolicyError(e.to_string()))?;
        if document.version != "2012-10-17" {
            return Err(PolicyError(format!(
                "the version {} is not understood",
                document.version
            )));
        }
        let statements = document
            .statement
            .iter()
            .enumerate()
            .map(|(index, statement)| {
                let name = statement["Sid"].as_str().map_or_else(
                    || format!("statement {index}"),
                    |sid| format!("statement {sid}"),
                );
                Statement::read(statement, with_principals)
                    .map_err(|PolicyError(problem)| PolicyError(format!("{name}: {problem}")))
            });
        Ok(Self {
            statements: statements.collect::<Result<_, _>>()?,
        })
    }
}

impl Policy {
    /// The statements that are about this request, whoever makes it.
    pub(super) fn covering<'a>(
        &'a self,
        request: &Request<'_>,
    ) -> impl Iterator<Item = &'a Statement> {
        self.statements
            .iter()
            .filter(move |statement| statement.covers(request))
    }
}

impl Statement {
    fn read(statement: &Value, with_principals: bool) -> Result<Self, PolicyError> {
        let written = Written::deserialize(statement).map_err(|e| PolicyError(e.to_string()))?;
        let principals = match (written.principal, with_principals) {
            (Some(principal), true) => named(&principal)?,
            (None, false) => Vec::new(),
            (Some(_), false) => {
                return Err(PolicyError("a role's policy names no Principal".into()));
            }
            (None, true) => {
                return Err(PolicyError("a resource's policy needs a Principal".into()));
            }
        };
        for action in &written.action {
            if action != "*"
                && !action
                    .split_once(':')
                    .is_some_and(|(service, name)| !service.is_empty() && !name.is_empty())
            {
                return Err(PolicyError(format!("{action} is not an action")));
            }
        }
        for resource in &written.resource {
            if resource != "*" && !resource.starts_with("arn:") {
                return Err(PolicyError(format!("{resource} is not an ARN")));
            }
        }
        if let Some(variable) = written
            .resource
            .iter()
            .find(|resource| resource.contains("${"))
        {
            return Err(PolicyError(format!(
                "policy variables are not understood: {variable}"
            )));
        }
        Ok(Self {
            allows: written.effect == Effect::Allow,
            principals,
            actions: written.action,
            resources: written.resource,
            conditions: condition::read(&written.condition)?,
        })
    }

    fn covers(&self, request: &Request<'_>) -> bool {
        self.actions
            .iter()
            .any(|action| like_ignoring_case(action, request.action))
            && self
                .resources
                .iter()
                .any(|resource| arn_like(resource, request.resource))
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(&request.context))
    }
}

fn named(principal: &Value) -> Result<Vec<Named>, PolicyError> {
    let unknown = || PolicyError(format!("the Principal {principal} is not understood"));
    let members = match principal {
        Value::String(all) if all == "*" => return Ok(vec![Named::Everybody]),
        Value::Object(members) if !members.is_empty() => members,
        _ => return Err(unknown()),
    };
    let mut named = Vec::new();
    for (kind, who) in members {
        for name in one_or_many::<String, _>(who).map_err(|_| unknown())? {
            named.push(match (kind.as_str(), name.as_str()) {
                ("Service", _) => Named::Service,
                ("AWS", "*") => Named::Everybody,
                ("AWS", arn) if arn.starts_with("arn:") => {
                    match arn.splitn(6, ':').collect::<Vec<_>>()[..] {
                        [_, _, "iam", "", account, "root"] => Named::Account(account.to_owned()),
                        [_, _, "iam" | "sts", "", _, _] if !arn.contains('*') => {
                            Named::Arn(arn.to_owned())
                        }
                        _ => return Err(unknown()),
                    }
                }
                ("AWS", account)
                    if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) =>
                {
                    Named::Account(account.to_owned())
                }
                _ => return Err(unknown()),
            });
        }
    }
    Ok(named)
}

/// A value, or a list of at least one.
pub(super) fn one_or_many<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany<T> {
        Many(Vec<T>),
        One(T),
    }
    match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => Ok(vec![one]),
        OneOrMany::Many(many) if many.is_empty() => Err(de::Error::custom("an empty list")),
        OneOrMany::Many(many) => Ok(many),
    }
}
