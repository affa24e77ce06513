//! The event filter patterns of an event source mapping, as far as table streams need them.
//!
//! A pattern has the shape of a record; at each leaf stands a list of rules of which one must hold.
//! Supported rules: a string, `null`, a boolean or a number to equal, `{"prefix": …}`,
//! `{"suffix": …}`, `{"anything-but": […]}` and `{"exists": …}`.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>

use serde_json::{Map, Value};

/// All of these must hold.
#[derive(Clone, Debug)]
pub(super) struct Filter(Vec<(String, Condition)>);

#[derive(Clone, Debug)]
enum Condition {
    Within(Filter),
    AnyOf(Vec<Rule>),
}

#[derive(Clone, Debug)]
enum Rule {
    Equals(Value),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Value>),
    Exists(bool),
}

impl Filter {
    /// Reads a pattern, refusing every rule that it would not apply.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        let pattern = serde_json::from_str(pattern)
            .map_err(|e| format!("a filter pattern is not JSON: {e}"))?;
        match pattern {
            Value::Object(members) => Self::of(&members),
            _ => Err("a filter pattern must be an object".to_owned()),
        }
    }

    fn of(members: &Map<String, Value>) -> Result<Self, String> {
        let condition = |(name, pattern): (&String, &Value)| {
            let condition = match pattern {
                _ if name.starts_with('$') => {
                    return Err(format!("the filter operator {name} is not supported here"));
                }
                Value::Object(members) => Condition::Within(Self::of(members)?),
                Value::Array(rules) if !rules.is_empty() => {
                    Condition::AnyOf(rules.iter().map(Rule::parse).collect::<Result<_, _>>()?)
                }
                _ => {
                    return Err(format!(
                        "the filter on {name} must be an object or a list of rules"
                    ));
                }
            };
            Ok((name.clone(), condition))
        };
        members
            .iter()
            .map(condition)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn matches(&self, event: &Value) -> bool {
        self.0.iter().all(|(name, condition)| {
            let value = event.get(name);
            match condition {
                Condition::Within(filter) => filter.matches(value.unwrap_or(&Value::Null)),
                Condition::AnyOf(rules) => rules.iter().any(|rule| rule.holds(value)),
            }
        })
    }
}

impl Rule {
    fn parse(rule: &Value) -> Result<Self, String> {
        let refuse = || Err(format!("the filter rule {rule} is not supported here"));
        let members = match rule {
            Value::Object(members) => members,
            Value::Array(_) => return refuse(),
            value => return Ok(Self::Equals(value.clone())),
        };
        let mut members = members.iter();
        match (
            members.next().map(|(name, value)| (name.as_str(), value)),
            members.next(),
        ) {
            (Some(("prefix", Value::String(text))), None) => Ok(Self::Prefix(text.clone())),
            (Some(("suffix", Value::String(text))), None) => Ok(Self::Suffix(text.clone())),
            (Some(("exists", Value::Bool(exists))), None) => Ok(Self::Exists(*exists)),
            (Some(("anything-but", Value::Array(values))), None)
                if values.iter().all(|v| v.is_string() || v.is_number()) =>
            {
                Ok(Self::AnythingBut(values.clone()))
            }
            _ => refuse(),
        }
    }

    /// An absent value only satisfies `{"exists": false}`.
    fn holds(&self, value: Option<&Value>) -> bool {
        let text = value.and_then(Value::as_str);
        match self {
            Self::Equals(expected) => value == Some(expected),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Self::AnythingBut(values) => value.is_some_and(|value| !values.contains(value)),
            // `exists` looks at leaves only: an object in that place is no value.
            Self::Exists(exists) => value.is_some_and(|value| !value.is_object()) == *exists,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(pattern: &Value) -> bool {
        let record = json!({"eventName": "INSERT", "dynamodb": {
            "Keys": {"PK": {"S": "A#1"}}, "NewImage": {"n": {"N": "5"}, "gone": {"NULL": true}},
        }});
        Filter::parse(&pattern.to_string())
            .unwrap()
            .matches(&record)
    }

    #[test]
    fn a_record_matches_if_every_member_does_by_one_of_its_rules() {
        for (pattern, expected) in [
            (json!({}), true),
            (json!({"eventName": ["MODIFY", "INSERT"]}), true),
            (json!({"eventName": ["REMOVE"]}), false),
            (
                json!({"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "A#"}]}}}}),
                true,
            ),
            (
                json!({"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "AC#"}]}}}}),
                false,
            ),
            (
                json!({"dynamodb": {"Keys": {"PK": {"S": [{"suffix": "#1"}]}}}}),
                true,
            ),
            (
                json!({
                    "dynamodb": {"Keys": {"PK": {"S": ["A#1"]}}, "NewImage": {"n": {"N": ["6"]}}},
                }),
                false,
            ),
            (
                json!({"dynamodb": {"NewImage": {"gone": {"NULL": [true]}}}}),
                true,
            ),
            (
                json!({"dynamodb": {"NewImage": {"n": {"N": [{"exists": true}]}}}}),
                true,
            ),
            (
                json!({"dynamodb": {"OldImage": {"n": {"N": [{"exists": false}]}}}}),
                true,
            ),
            (
                json!({"dynamodb": {"NewImage": {"n": {"N": [{"exists": false}]}}}}),
                false,
            ),
            (json!({"eventName": [{"anything-but": ["REMOVE"]}]}), true),
            (json!({"eventName": [{"anything-but": ["INSERT"]}]}), false),
        ] {
            assert_eq!(matches(&pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_rule_that_would_not_be_applied_is_refused() {
        for pattern in [
            json!([]),
            json!({"a": "b"}),
            json!({"a": []}),
            json!({"$or": [{"a": ["b"]}]}),
            json!({"a": [{"numeric": [">", 1]}]}),
            json!({"a": [{"prefix": "x", "suffix": "y"}]}),
            json!({"a": [["b"]]}),
        ] {
            assert!(Filter::parse(&pattern.to_string()).is_err(), "{pattern}");
        }
    }
}
