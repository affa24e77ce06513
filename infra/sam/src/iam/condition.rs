//! Conditions: which operators and keys there are, and AWS's rules for keys that are absent or have
//! several values.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use serde_json::{Map, Value};

use super::{
    error::PolicyError,
    pattern::{arn_like, like},
    request::Context,
};

/// One key under one operator. A statement's conditions hold when all of them do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    set: Set,
    test: Test,
    if_exists: bool,
    pub(super) key: String,
    /// Any one of them suffices; of a negated operator none may match.
    pub(super) values: Vec<String>,
}

/// How a key's several values are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// The key has at most one value.
    Single,
    /// Every value of the request must pass. Of no values, all do.
    ForAll,
    /// Some value of the request must pass. Of no values, none does.
    ForAny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    /// Whether the key is absent.
    Null,
    Compare {
        by: By,
        negated: bool,
        name: &'static str,
    },
}

/// How a value is compared with one that the policy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Equality,
    Wildcards,
    /// Wildcards, by the parts of an ARN.
    Parts,
}

impl By {
    fn matches(self, wanted: &str, value: &str) -> bool {
        match self {
            Self::Equality => wanted == value,
            Self::Wildcards => like(wanted, value),
            Self::Parts => arn_like(wanted, value),
        }
    }
}

/// Keys with several values. Without a set operator AWS's comparison of these is not defined, so it
/// is refused.
const MANY_VALUED: [&str; 3] = [
    "dynamodb:LeadingKeys",
    "dynamodb:Attributes",
    "kms:EncryptionContextKeys",
];

/// Keys with at most one value that the embedded services give.
const SINGLE_VALUED: [&str; 13] = [
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalType",
    "aws:SecureTransport",
    "dynamodb:EnclosingOperation",
    "dynamodb:ReturnValues",
    "dynamodb:Select",
    "kms:CallerAccount",
    "kms:MessageType",
    "kms:SigningAlgorithm",
    "kms:ViaService",
    "secretsmanager:VersionStage",
];

/// A key for each member of a KMS encryption context.
const ENCRYPTION_CONTEXT: &str = "kms:EncryptionContext:";

/// Reads the `Condition` element.
pub(super) fn read(element: &Map<String, Value>) -> Result<Vec<Condition>, PolicyError> {
    let mut conditions = Vec::new();
    for (operator, keys) in element {
        let Value::Object(keys) = keys else {
            return Err(PolicyError(format!("{operator} is not a mapping")));
        };
        for (key, values) in keys {
            conditions.push(Condition::read(operator, key, values)?);
        }
    }
    Ok(conditions)
}

impl Condition {
    fn read(operator: &str, key: &str, values: &Value) -> Result<Self, PolicyError> {
        let unknown = || {
            PolicyError(format!(
                "the condition operator {operator} is not understood"
            ))
        };
        let (set, rest) = match operator.split_once(':') {
            None => (Set::Single, operator),
            Some(("ForAllValues", rest)) => (Set::ForAll, rest),
            Some(("ForAnyValue", rest)) => (Set::ForAny, rest),
            Some(_) => return Err(unknown()),
        };
        let (name, if_exists) = rest
            .strip_suffix("IfExists")
            .map_or((rest, false), |name| (name, true));
        let test = Test::named(name).ok_or_else(unknown)?;
        if test == Test::Null && (if_exists || set != Set::Single) {
            return Err(unknown());
        }
        let many = MANY_VALUED
            .iter()
            .any(|known| known.eq_ignore_ascii_case(key));
        let single = SINGLE_VALUED
            .iter()
            .any(|known| known.eq_ignore_ascii_case(key))
            || key
                .get(..ENCRYPTION_CONTEXT.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(ENCRYPTION_CONTEXT));
        if !many && !single {
            return Err(PolicyError(format!(
                "the condition key {key} is not understood"
            )));
        }
        if many && set == Set::Single && test != Test::Null {
            return Err(PolicyError(format!(
                "{key} has several values: {operator} needs ForAllValues or ForAnyValue"
            )));
        }
        let values = texts(values).filter(|values| !values.is_empty());
        let values = values
            .ok_or_else(|| PolicyError(format!("the values of {operator} {key} are not texts")))?;
        if let Some(variable) = values.iter().find(|value| value.contains("${")) {
            return Err(PolicyError(format!(
                "policy variables are not understood: {variable}"
            )));
        }
        let truth = |value: &String| matches!(value.as_str(), "true" | "false");
        if matches!(test, Test::Null | Test::Compare { name: "Bool", .. })
            && !values.iter().all(truth)
        {
            return Err(PolicyError(format!(
                "{operator} {key} is neither true nor false"
            )));
        }
        Ok(Self {
            set,
            test,
            if_exists,
            key: key.to_owned(),
            values,
        })
    }

    /// Whether the request fulfils it.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let given = context.values(&self.key);
        let (by, negated) = match self.test {
            Test::Null => {
                return self
                    .values
                    .iter()
                    .any(|wanted| (wanted == "true") == given.is_empty());
            }
            Test::Compare { by, negated, .. } => (by, negated),
        };
        let passes =
            |value: &String| self.values.iter().any(|wanted| by.matches(wanted, value)) != negated;
        match self.set {
            Set::ForAny => given.is_empty() && self.if_exists || given.iter().any(passes),
            // An absent key has no value that could be equal: that fails a comparison, and fulfils
            // a negated one.
            Set::Single if given.is_empty() => self.if_exists || negated,
            Set::Single | Set::ForAll => given.iter().all(passes),
        }
    }

    /// The operator as it is written.
    pub(super) fn operator(&self) -> String {
        let set = match self.set {
            Set::Single => "",
            Set::ForAll => "ForAllValues:",
            Set::ForAny => "ForAnyValue:",
        };
        let name = match self.test {
            Test::Null => "Null",
            Test::Compare { name, .. } => name,
        };
        format!(
            "{set}{name}{}",
            if self.if_exists { "IfExists" } else { "" }
        )
    }

    /// Whether one of the values that it names stands for this one.
    pub(super) fn admits(&self, wanted: &str, value: &str) -> bool {
        matches!(self.test, Test::Compare { by, .. } if by.matches(wanted, value))
    }
}

impl Test {
    fn named(name: &str) -> Option<Self> {
        let (by, negated, name) = match name {
            "Null" => return Some(Self::Null),
            "StringEquals" => (By::Equality, false, "StringEquals"),
            "StringNotEquals" => (By::Equality, true, "StringNotEquals"),
            "StringLike" => (By::Wildcards, false, "StringLike"),
            "StringNotLike" => (By::Wildcards, true, "StringNotLike"),
            "ArnEquals" => (By::Parts, false, "ArnEquals"),
            "ArnLike" => (By::Parts, false, "ArnLike"),
            "ArnNotEquals" => (By::Parts, true, "ArnNotEquals"),
            "ArnNotLike" => (By::Parts, true, "ArnNotLike"),
            "Bool" => (By::Equality, false, "Bool"),
            _ => return None,
        };
        Some(Self::Compare { by, negated, name })
    }
}

/// A text or a list of them. `CloudFormation` writes true and false either way.
fn texts(values: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    match values {
        Value::Array(values) => values.iter().map(text).collect(),
        value => text(value).map(|text| vec![text]),
    }
}
