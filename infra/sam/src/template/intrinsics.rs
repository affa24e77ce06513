//! `CloudFormation`'s intrinsic functions and pseudo parameters.
//!
//! `None` is `AWS::NoValue`: the member or list item that it stands for disappears.

use serde_json::{Map, Value};

use super::{
    Physical, Settings, Template, TemplateError, below, globals::is_intrinsic, predicted,
    section::text,
};

/// The last part of `AWS::StackId`.
const STACK_UUID: &str = "00000000-0000-4000-8000-000000000000";

pub(super) struct Evaluator<'a> {
    pub(super) template: &'a Template,
    physical: &'a Physical,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(template: &'a Template, physical: &'a Physical) -> Self {
        Self { template, physical }
    }

    /// Resolves everything inside a value.
    pub(super) fn evaluate(&self, value: &Value, at: &str) -> Result<Option<Value>, TemplateError> {
        match value {
            Value::Object(members) if is_intrinsic(members) => match members.iter().next() {
                Some((function, argument)) => self.apply(function, argument, at),
                None => Ok(None),
            },
            Value::Object(members) => {
                let mut resolved = Map::new();
                for (name, member) in members {
                    if let Some(member) = self.evaluate(member, &below(at, name))? {
                        resolved.insert(name.clone(), member);
                    }
                }
                Ok(Some(Value::Object(resolved)))
            }
            Value::Array(items) => {
                let mut resolved = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    resolved.extend(self.evaluate(item, &format!("{at}[{index}]"))?);
                }
                Ok(Some(Value::Array(resolved)))
            }
            // Left as it is, a function would get the text of the reference instead of the secret.
            Value::String(text) if text.contains("{{resolve:") => Err(TemplateError::new(
                at,
                "dynamic references are not understood",
            )),
            scalar => Ok(Some(scalar.clone())),
        }
    }

    /// Takes the branch of an `Fn::If` without resolving what is inside it.
    pub(super) fn choose(&self, value: Value, at: &str) -> Result<Option<Value>, TemplateError> {
        match value {
            Value::Object(members) if members.len() == 1 && members.contains_key("Fn::If") => {
                let branch = self.branch(&members["Fn::If"], at)?.clone();
                self.choose(branch, at)
            }
            Value::Object(members)
                if members.get("Ref").and_then(Value::as_str) == Some("AWS::NoValue") =>
            {
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    fn apply(
        &self,
        function: &str,
        argument: &Value,
        at: &str,
    ) -> Result<Option<Value>, TemplateError> {
        let resolved = match function {
            "Ref" => return self.reference(name(argument, at)?, at),
            "Fn::If" => return self.evaluate(self.branch(argument, at)?, at),
            "Fn::GetAtt" => self.get_att(argument, at)?,
            "Fn::Sub" => self.sub(argument, at)?,
            "Fn::Join" => self.join(argument, at)?,
            "Fn::Select" => self.select(argument, at)?,
            "Fn::Split" => self.split(argument, at)?,
            "Fn::FindInMap" => self.find_in_map(argument, at)?,
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" | "Condition" => {
                Value::Bool(self.decide(function, argument, at, 0)?)
            }
            other => return Err(TemplateError::new(at, format!("{other} is not understood"))),
        };
        Ok(Some(resolved))
    }

    fn reference(&self, name: &str, at: &str) -> Result<Option<Value>, TemplateError> {
        let settings = &self.template.settings;
        let pseudo = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::Region" => Some(&settings.region),
            "AWS::AccountId" => Some(&settings.account_id),
            "AWS::Partition" => Some(&settings.partition),
            "AWS::StackName" => Some(&settings.stack_name),
            "AWS::URLSuffix" => Some(&settings.url_suffix),
            _ => None,
        };
        if name == "AWS::StackId" {
            let Settings {
                partition,
                region,
                account_id,
                stack_name,
                ..
            } = settings;
            let id = format!(
                "arn:{partition}:cloudformation:{region}:{account_id}:stack/{stack_name}/\
                 {STACK_UUID}"
            );
            return Ok(Some(Value::String(id)));
        }
        if let Some(value) = pseudo {
            return Ok(Some(Value::String(value.clone())));
        }
        if let Some(value) = self.template.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        self.resource_reference(name, at)
            .map(|reference| Some(Value::String(reference)))
    }

    fn resource_reference(&self, name: &str, at: &str) -> Result<String, TemplateError> {
        if let Some(created) = self.physical.get(name) {
            return Ok(created.reference.clone());
        }
        // SAM's `Ref` of a referable property: `Api.Stage` is the stage that it makes for the API.
        if let Some(api) = name.strip_suffix(".Stage")
            && let Some(declared) = self.template.declared.get(api)
            && let Some(stage) = declared.properties.get("StageName")
            && let Some(Value::String(stage)) = self.evaluate(stage, at)?
        {
            return Ok(stage);
        }
        let kind = self.kind(name, at)?;
        if kind == predicted::LOG_GROUP {
            return self.log_group(name, at);
        }
        predicted::reference(&self.template.settings, &kind, name)
            .ok_or_else(|| TemplateError::new(at, format!("Ref {name}: {kind} has no id here")))
    }

    fn attribute(&self, name: &str, attribute: &str, at: &str) -> Result<String, TemplateError> {
        if let Some(created) = self.physical.get(name) {
            return created.attributes.get(attribute).cloned().ok_or_else(|| {
                TemplateError::new(at, format!("{name} has no attribute {attribute} here"))
            });
        }
        if attribute == "Stage" {
            return self.resource_reference(&format!("{name}.Stage"), at);
        }
        let kind = self.kind(name, at)?;
        if kind == predicted::LOG_GROUP && attribute == "Arn" {
            return Ok(predicted::log_group_arn(
                &self.template.settings,
                &self.log_group(name, at)?,
            ));
        }
        predicted::attribute(&self.template.settings, &kind, name, attribute).ok_or_else(|| {
            TemplateError::new(
                at,
                format!("GetAtt {name}.{attribute}: {kind} has none here"),
            )
        })
    }

    /// A log group's name: its own, or one that `CloudFormation` would make.
    fn log_group(&self, name: &str, at: &str) -> Result<String, TemplateError> {
        let declared = self
            .template
            .declared
            .get(name)
            .and_then(|declared| declared.properties.get("LogGroupName"));
        let own = declared
            .map(|own| self.evaluate(own, &below(name, "Properties.LogGroupName")))
            .transpose()?
            .flatten();
        match own {
            None => Ok(format!("{}-{name}", self.template.settings.stack_name)),
            Some(own) => text(&own).ok_or_else(|| {
                TemplateError::new(at, format!("{name} has a LogGroupName that is no string"))
            }),
        }
    }

    /// The type of a resource that may be referred to.
    fn kind(&self, name: &str, at: &str) -> Result<String, TemplateError> {
        if let Some(declared) = self.template.declared.get(name) {
            if self.exists(name)? {
                return Ok(declared.kind.clone());
            }
            return Err(TemplateError::new(
                at,
                format!("{name} does not exist, its condition is false"),
            ));
        }
        let owner = predicted::generated_role(name)
            .and_then(|function| self.template.declared.get(function));
        match owner {
            Some(owner) if owner.kind == predicted::FUNCTION => Ok("AWS::IAM::Role".into()),
            _ => Err(TemplateError::new(
                at,
                format!("{name} is neither a parameter nor a resource"),
            )),
        }
    }

    fn get_att(&self, argument: &Value, at: &str) -> Result<Value, TemplateError> {
        let path = match argument {
            Value::String(path) => path.clone(),
            Value::Array(_) => self.texts(argument, at)?.join("."),
            _ => {
                return Err(TemplateError::new(
                    at,
                    "Fn::GetAtt takes a resource and an attribute",
                ));
            }
        };
        let (name, attribute) = path
            .split_once('.')
            .ok_or_else(|| TemplateError::new(at, format!("{path} lacks an attribute")))?;
        self.attribute(name, attribute, at).map(Value::String)
    }

    fn sub(&self, argument: &Value, at: &str) -> Result<Value, TemplateError> {
        let (pattern, own) = match argument {
            Value::String(pattern) => (pattern, None),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(pattern), Value::Object(own)] => (pattern, Some(own)),
                _ => {
                    return Err(TemplateError::new(
                        at,
                        "Fn::Sub takes a string, or a string and a mapping",
                    ));
                }
            },
            _ => return Err(TemplateError::new(at, "Fn::Sub takes a string")),
        };
        let mut result = String::new();
        let mut rest = pattern.as_str();
        while let Some(start) = rest.find("${") {
            result.push_str(&rest[..start]);
            let end = rest[start..]
                .find('}')
                .ok_or_else(|| TemplateError::new(at, format!("{pattern} has an unclosed ${{")))?;
            let name = &rest[start + 2..start + end];
            result.push_str(&self.substitute(name.trim(), own, at)?);
            rest = &rest[start + end + 1..];
        }
        result.push_str(rest);
        Ok(Value::String(result))
    }

    fn substitute(
        &self,
        name: &str,
        own: Option<&Map<String, Value>>,
        at: &str,
    ) -> Result<String, TemplateError> {
        if let Some(literal) = name.strip_prefix('!') {
            return Ok(format!("${{{literal}}}"));
        }
        let value = match own.and_then(|own| own.get(name)) {
            Some(value) => self.evaluate(value, at)?,
            None => match name.split_once('.') {
                Some((resource, attribute)) => {
                    Some(Value::String(self.attribute(resource, attribute, at)?))
                }
                None => self.reference(name, at)?,
            },
        };
        value
            .as_ref()
            .and_then(text)
            .ok_or_else(|| TemplateError::new(at, format!("${{{name}}} is not a string")))
    }

    fn join(&self, argument: &Value, at: &str) -> Result<Value, TemplateError> {
        let [separator, items] =
            self.arguments(argument, "Fn::Join takes a separator and a list", at)?;
        let separator =
            text(&separator).ok_or_else(|| TemplateError::new(at, "Fn::Join: not a separator"))?;
        Ok(Value::String(self.texts(&items, at)?.join(&separator)))
    }

    fn select(&self, argument: &Value, at: &str) -> Result<Value, TemplateError> {
        let [index, items] =
            self.arguments(argument, "Fn::Select takes an index and a list", at)?;
        let index: Option<usize> = text(&index).and_then(|index| index.parse().ok());
        index
            .and_then(|index| items.get(index).cloned())
            .ok_or_else(|| TemplateError::new(at, "Fn::Select: no such item"))
    }

    fn split(&self, argument: &Value, at: &str) -> Result<Value, TemplateError> {
        let [separator, whole] =
            self.arguments(argument, "Fn::Split takes a separator and a string", at)?;
        match (text(&separator), text(&whole)) {
            (Some(separator), Some(whole)) if !separator.is_empty() => {
                Ok(whole.split(&separator).map(Value::from).collect())
            }
            _ => Err(TemplateError::new(
                at,
                "Fn::Split takes a separator and a string",
            )),
        }
    }

    fn find_in_map(&self, argument: &Value, at: &str) -> Result<Value, TemplateError> {
        let Some(Value::Array(keys)) = self.evaluate(argument, at)? else {
            return Err(TemplateError::new(at, "Fn::FindInMap takes three names"));
        };
        let keys = self.texts(&Value::Array(keys), at)?;
        let [map, top, second] = keys.as_slice() else {
            return Err(TemplateError::new(at, "Fn::FindInMap takes three names"));
        };
        self.template
            .mappings
            .get(map)
            .and_then(|map| map.get(top))
            .and_then(|members| members.get(second))
            .cloned()
            .ok_or_else(|| TemplateError::new(at, format!("Mappings has no {map}.{top}.{second}")))
    }

    fn arguments(
        &self,
        argument: &Value,
        usage: &str,
        at: &str,
    ) -> Result<[Value; 2], TemplateError> {
        let wrong = || TemplateError::new(at, usage);
        let [first, second] = argument.as_array().map(Vec::as_slice).ok_or_else(wrong)? else {
            return Err(wrong());
        };
        let first = self.evaluate(first, at)?.ok_or_else(wrong)?;
        let second = self.evaluate(second, at)?.ok_or_else(wrong)?;
        Ok([first, second])
    }

    fn texts(&self, items: &Value, at: &str) -> Result<Vec<String>, TemplateError> {
        let wrong = || TemplateError::new(at, "not a list of strings");
        let Some(Value::Array(items)) = self.evaluate(items, at)? else {
            return Err(wrong());
        };
        items
            .iter()
            .map(|item| text(item).ok_or_else(wrong))
            .collect()
    }
}

/// An argument that must be a name as it stands.
pub(super) fn name<'v>(argument: &'v Value, at: &str) -> Result<&'v str, TemplateError> {
    argument
        .as_str()
        .ok_or_else(|| TemplateError::new(at, "not a name"))
}
