//! An authorizer's answer, checked and decided as API Gateway does: a matching Deny wins, a
//! matching Allow lets in, and no match is a Deny too.

use serde_json::{Map, Value};

const ACTION: &str = "execute-api:Invoke";

/// A well-formed answer of an authorizer; what the cache keeps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    principal: String,
    context: Map<String, Value>,
    /// `usageIdentifierKey`: the value of an API key of a usage plan.
    pub(super) usage_key: Option<String>,
    statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq)]
struct Statement {
    allows: bool,
    actions: Patterns,
    resources: Patterns,
}

#[derive(Clone, Debug, PartialEq)]
struct Patterns {
    /// `NotAction` and `NotResource` match what their patterns do not.
    inverted: bool,
    patterns: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Allow,
    ExplicitDeny,
    ImplicitDeny,
}

impl Verdict {
    /// Reads an authorizer's answer; the error says what is wrong with its form, never what is in
    /// it.
    pub(super) fn parse(answer: &Value) -> Result<Self, &'static str> {
        let principal = answer
            .get("principalId")
            .and_then(Value::as_str)
            .ok_or("no principalId")?;
        let policy = answer
            .get("policyDocument")
            .and_then(Value::as_object)
            .ok_or("no policyDocument")?;
        let statements = match policy.get("Statement") {
            Some(Value::Array(statements)) => statements
                .iter()
                .map(Statement::parse)
                .collect::<Result<_, _>>()?,
            Some(statement @ Value::Object(_)) => vec![Statement::parse(statement)?],
            _ => return Err("no Statement"),
        };
        let usage_key = match answer.get("usageIdentifierKey") {
            None | Some(Value::Null) => None,
            Some(Value::String(key)) => Some(key.clone()),
            Some(_) => return Err("a usageIdentifierKey that is not a string"),
        };
        Ok(Self {
            principal: principal.to_owned(),
            context: context(answer.get("context"))?,
            usage_key,
            statements,
        })
    }

    pub(super) fn decide(&self, method_arn: &str) -> Decision {
        let mut matching = self
            .statements
            .iter()
            .filter(|statement| statement.covers(method_arn))
            .peekable();
        if matching.peek().is_none() {
            return Decision::ImplicitDeny;
        }
        if matching.all(|statement| statement.allows) {
            Decision::Allow
        } else {
            Decision::ExplicitDeny
        }
    }

    /// `$context.authorizer`, and `requestContext.authorizer` of the integration's event.
    pub(super) fn authorizer_context(&self) -> Map<String, Value> {
        let mut members = self.context.clone();
        members.insert("principalId".into(), Value::String(self.principal.clone()));
        members
    }
}

impl Statement {
    fn parse(statement: &Value) -> Result<Self, &'static str> {
        let allows = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err("an Effect that is neither Allow nor Deny"),
        };
        if statement.get("Condition").is_some() {
            return Err("a Condition, which the local gateway does not evaluate");
        }
        let actions = Patterns::parse(statement, "Action", "NotAction").ok_or("no Action")?;
        let resources =
            Patterns::parse(statement, "Resource", "NotResource").ok_or("no Resource")?;
        Ok(Self {
            allows,
            actions,
            resources,
        })
    }

    fn covers(&self, method_arn: &str) -> bool {
        // Actions are compared without regard to case, resources with it.
        let action =
            |pattern: &str| wildcard(&pattern.to_ascii_lowercase(), &ACTION.to_ascii_lowercase());
        self.actions.covers(action)
            && self
                .resources
                .covers(|pattern| wildcard(pattern, method_arn))
    }
}

impl Patterns {
    fn parse(statement: &Value, plain: &str, inverted: &str) -> Option<Self> {
        let (value, inverted) = match (statement.get(plain), statement.get(inverted)) {
            (Some(value), None) => (value, false),
            (None, Some(value)) => (value, true),
            _ => return None,
        };
        let patterns = match value {
            Value::String(pattern) => vec![pattern.clone()],
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
            _ => return None,
        };
        Some(Self { inverted, patterns })
    }

    fn covers(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern)) != self.inverted
    }
}

/// Context values are strings, numbers or booleans, and become strings.
fn context(context: Option<&Value>) -> Result<Map<String, Value>, &'static str> {
    match context {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => members
            .iter()
            .map(|(name, value)| match value {
                Value::String(_) => Ok((name.clone(), value.clone())),
                Value::Number(number) => Ok((name.clone(), Value::String(number.to_string()))),
                Value::Bool(flag) => Ok((name.clone(), Value::String(flag.to_string()))),
                _ => Err("a context value that is no string, number or boolean"),
            })
            .collect(),
        Some(_) => Err("a context that is not a mapping"),
    }
}

/// IAM's wildcards: `*` is any run of characters, slashes and colons included, `?` exactly one.
pub(super) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while read < text.len() {
        if pattern
            .get(at)
            .is_some_and(|wanted| *wanted == '?' || (*wanted != '*' && *wanted == text[read]))
        {
            at += 1;
            read += 1;
        } else if pattern.get(at) == Some(&'*') {
            last_star = Some((at, read));
            at += 1;
        } else if let Some((star, consumed)) = last_star {
            // The last star takes one character more.
            last_star = Some((star, consumed + 1));
            at = star + 1;
            read = consumed + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}
