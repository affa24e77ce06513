//! YAML with `CloudFormation`'s short tags, turned into plain JSON values in the long form, so that
//! everything after this file knows one spelling: `!GetAtt Table.Arn` becomes
//! `{"Fn::GetAtt": ["Table", "Arn"]}`.

use serde_json::{Map, Value};
use serde_norway::Value as Yaml;

use super::TemplateError;

/// Reads a template's text.
pub(super) fn read(text: &str) -> Result<Value, TemplateError> {
    let yaml: Yaml =
        serde_norway::from_str(text).map_err(|error| TemplateError::new("the template", error))?;
    json(yaml, "the template")
}

fn json(yaml: Yaml, at: &str) -> Result<Value, TemplateError> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(flag),
        Yaml::Number(number) => serde_json::to_value(number)
            .map_err(|_| TemplateError::new(at, "a number that JSON cannot hold"))?,
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| json(item, &format!("{at}[{index}]")))
                .collect::<Result<_, _>>()?,
        ),
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (key, member) in members {
                let key = name(&key, at)?;
                let member = json(member, &super::below(at, &key))?;
                object.insert(key, member);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let argument = json(tagged.value, at)?;
            long_form(tag.trim_start_matches('!'), argument, at)?
        }
    })
}

/// A mapping's key. Keys such as `401` are numbers to YAML and names to `CloudFormation`.
fn name(key: &Yaml, at: &str) -> Result<String, TemplateError> {
    match key {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(flag) => Ok(flag.to_string()),
        _ => Err(TemplateError::new(at, "a key that is not a name")),
    }
}

fn long_form(tag: &str, argument: Value, at: &str) -> Result<Value, TemplateError> {
    let (key, argument) = match (tag, argument) {
        ("Ref" | "Condition", argument) => (tag.to_owned(), argument),
        ("GetAtt", Value::String(path)) => {
            let (resource, attribute) = path.split_once('.').ok_or_else(|| {
                TemplateError::new(at, format!("!GetAtt {path} lacks an attribute"))
            })?;
            (
                "Fn::GetAtt".to_owned(),
                Value::from(vec![resource, attribute]),
            )
        }
        (
            "GetAtt" | "Sub" | "If" | "Equals" | "Not" | "And" | "Or" | "Join" | "Select" | "Split"
            | "FindInMap",
            argument,
        ) => (format!("Fn::{tag}"), argument),
        _ => {
            return Err(TemplateError::new(
                at,
                format!("the tag !{tag} is not understood"),
            ));
        }
    };
    Ok(Value::Object(Map::from_iter([(key, argument)])))
}
