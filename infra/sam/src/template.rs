//! Reads `infra/template.yaml` as SAM and `CloudFormation` would, so that a mistake in it fails on
//! a laptop.
//!
//! Two steps, since ids exist only once resources do: [`Template::parse`] knows what to create and
//! in which order ([`Template::resources`], [`Template::properties`]); [`Template::resolve`] then
//! takes the created ids and gives the whole [`Description`]. What is needed and not understood is
//! an error that names the resource and the property: a template must never be half obeyed. What
//! has no meaning on a laptop (roles, alarms, tags) is named in lists.

mod access;
mod api;
mod auth;
mod conditions;
mod description;
#[cfg(test)]
mod documented;
mod function;
mod globals;
mod intrinsics;
mod predicted;
mod resources;
mod section;
#[cfg(test)]
mod tests;
mod usage;
mod yaml;

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

pub use self::{
    access::{Access, Role},
    description::{
        AccessLogSetting, Authorizer, AuthorizerKind, Description, Function, GatewayResponse,
        HeaderValue, IdentitySource, Quota, QuotaPeriod, Resource, ResponseType, RestApi, Route,
        Schedule, Stream, Throttle, UsagePlan,
    },
    resources::{PlannedResource, ResourceKind},
};
use self::{intrinsics::Evaluator, resources::Declared};

/// Where and as what the stack runs: the values of the pseudo parameters, and parameters that
/// differ from their defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`.
    pub account_id: String,
    /// `AWS::Partition`.
    pub partition: String,
    /// `AWS::StackName`.
    pub stack_name: String,
    /// `AWS::URLSuffix`.
    pub url_suffix: String,
    /// Template parameters that override their `Default`.
    pub parameters: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: "eu-west-1".into(),
            account_id: "000000000000".into(),
            partition: "aws".into(),
            stack_name: "latchkey".into(),
            url_suffix: "amazonaws.com".into(),
            parameters: BTreeMap::new(),
        }
    }
}

/// What a created resource is called: its `Ref` and its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhysicalResource {
    /// What `Ref` gives.
    pub reference: String,
    /// What `GetAtt` gives, by attribute (`Arn`, `StreamArn`, …).
    pub attributes: BTreeMap<String, String>,
}

/// The created resources, by logical id.
pub type Physical = BTreeMap<String, PhysicalResource>;

/// A place in the template and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    at: String,
    reason: String,
}

impl TemplateError {
    /// At this place of the template, for this reason.
    pub fn new(at: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self {
            at: at.into(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.at, self.reason)
    }
}

impl std::error::Error for TemplateError {}

/// The path of a member of `at`, for messages.
fn below(at: &str, member: &str) -> String {
    format!("{at}.{member}")
}

/// A parsed template whose intrinsic functions wait for ids.
#[derive(Clone, Debug)]
pub struct Template {
    settings: Settings,
    parameters: BTreeMap<String, Value>,
    conditions: Map<String, Value>,
    mappings: Map<String, Value>,
    declared: BTreeMap<String, Declared>,
    outputs: Map<String, Value>,
}

impl Template {
    /// Parses the text of a template.
    ///
    /// # Errors
    /// Whatever of it is malformed or not understood, by its place.
    pub fn parse(text: &str, settings: Settings) -> Result<Self, TemplateError> {
        let Value::Object(mut root) = yaml::read(text)? else {
            return Err(TemplateError::new("the template", "not a mapping"));
        };
        check_transform(root.remove("Transform").as_ref())?;
        let parameters = resources::parameters(section(&mut root, "Parameters")?, &settings)?;
        let globals = section(&mut root, "Globals")?;
        let conditions = section(&mut root, "Conditions")?;
        let mappings = section(&mut root, "Mappings")?;
        let rules = section(&mut root, "Rules")?;
        let declared = resources::declared(section(&mut root, "Resources")?, &globals)?;
        let outputs = section(&mut root, "Outputs")?;
        for ignored in ["AWSTemplateFormatVersion", "Description", "Metadata"] {
            root.remove(ignored);
        }
        if let Some(unknown) = root.keys().next() {
            return Err(TemplateError::new(
                unknown.as_str(),
                "this part of a template is not understood",
            ));
        }
        let template = Self {
            settings,
            parameters,
            conditions,
            mappings,
            declared,
            outputs,
        };
        Evaluator::new(&template, &Physical::new()).check_rules(&rules)?;
        Ok(template)
    }

    /// The resources to create, each after those that it refers to.
    ///
    /// # Errors
    /// A condition that cannot be decided, or resources that refer to each other in a circle.
    pub fn resources(&self) -> Result<Vec<PlannedResource>, TemplateError> {
        resources::plan(self)
    }

    /// The `Properties` of one resource, resolved with what is created so far.
    ///
    /// # Errors
    /// An intrinsic function that cannot be resolved, or a resource that does not exist.
    pub fn properties(
        &self,
        logical_id: &str,
        physical: &Physical,
    ) -> Result<Value, TemplateError> {
        let declared = self
            .declared
            .get(logical_id)
            .ok_or_else(|| TemplateError::new(logical_id, "the template has no such resource"))?;
        let at = below(logical_id, "Properties");
        let properties = Value::Object(declared.properties.clone());
        let resolved = Evaluator::new(self, physical).evaluate(&properties, &at)?;
        Ok(resolved.unwrap_or(Value::Null))
    }

    /// The whole description, once the resources are created.
    ///
    /// # Errors
    /// Whatever of it is needed and not understood.
    pub fn resolve(&self, physical: &Physical) -> Result<Description, TemplateError> {
        let evaluator = Evaluator::new(self, physical);
        resources::refuse(self, &evaluator)?;
        let (functions, events) = function::read(self, &evaluator)?;
        let api = api::read(self, &evaluator, &functions, events)?;
        let mut description = Description {
            region: self.settings.region.clone(),
            account_id: self.settings.account_id.clone(),
            partition: self.settings.partition.clone(),
            stack_name: self.settings.stack_name.clone(),
            functions,
            api,
            tables: Vec::new(),
            keys: Vec::new(),
            aliases: Vec::new(),
            secrets: Vec::new(),
            queues: Vec::new(),
            log_groups: self.log_groups(&evaluator)?,
        };
        for planned in self.resources()? {
            let properties = self.properties(&planned.logical_id, physical)?;
            let list = match planned.kind {
                ResourceKind::Table => &mut description.tables,
                ResourceKind::Key => &mut description.keys,
                ResourceKind::Alias => &mut description.aliases,
                ResourceKind::Secret => &mut description.secrets,
                ResourceKind::Queue => &mut description.queues,
            };
            list.push(Resource {
                logical_id: planned.logical_id,
                properties,
            });
        }
        Ok(description)
    }

    /// The value of one of the template's outputs, if it has that.
    ///
    /// # Errors
    /// An intrinsic function that cannot be resolved.
    pub fn output(&self, name: &str, physical: &Physical) -> Result<Option<String>, TemplateError> {
        let at = below("Outputs", name);
        let Some(value) = self
            .outputs
            .get(name)
            .and_then(|output| output.get("Value"))
        else {
            return Ok(None);
        };
        let value = Evaluator::new(self, physical).evaluate(value, &below(&at, "Value"))?;
        Ok(value.as_ref().and_then(section::text))
    }

    fn log_groups(&self, evaluator: &Evaluator<'_>) -> Result<Vec<Resource>, TemplateError> {
        let mut groups = Vec::new();
        for (logical_id, declared) in self.of_type(predicted::LOG_GROUP, evaluator)? {
            let at = below(logical_id, "Properties");
            let properties =
                evaluator.evaluate(&Value::Object(declared.properties.clone()), &at)?;
            groups.push(Resource {
                logical_id: logical_id.clone(),
                properties: properties.unwrap_or(Value::Null),
            });
        }
        Ok(groups)
    }

    /// The logical ids of the resources of a type whose condition holds.
    ///
    /// # Errors
    /// A condition that cannot be decided.
    pub fn of_kind(&self, kind: &str) -> Result<Vec<String>, TemplateError> {
        let nothing = Physical::new();
        let found = self.of_type(kind, &Evaluator::new(self, &nothing))?;
        Ok(found
            .into_iter()
            .map(|(logical_id, _)| logical_id.clone())
            .collect())
    }

    /// The resources of a type whose condition holds, by logical id.
    fn of_type(
        &self,
        kind: &str,
        evaluator: &Evaluator<'_>,
    ) -> Result<Vec<(&String, &Declared)>, TemplateError> {
        let mut found = Vec::new();
        for (logical_id, declared) in &self.declared {
            if declared.kind == kind && evaluator.exists(logical_id)? {
                found.push((logical_id, declared));
            }
        }
        Ok(found)
    }
}

fn section(root: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, TemplateError> {
    match root.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members),
        Some(_) => Err(TemplateError::new(name, "not a mapping")),
    }
}

/// Without the SAM transform, `CloudFormation` refuses `AWS::Serverless` types; any other transform
/// would be ignored here.
fn check_transform(transform: Option<&Value>) -> Result<(), TemplateError> {
    const SAM: &str = "AWS::Serverless-2016-10-31";
    let sam_alone = match transform {
        Some(Value::String(name)) => name == SAM,
        Some(Value::Array(names)) => {
            matches!(names.as_slice(), [Value::String(name)] if name == SAM)
        }
        _ => false,
    };
    if sam_alone {
        Ok(())
    } else {
        Err(TemplateError::new(
            "Transform",
            format!("must be {SAM} and nothing else"),
        ))
    }
}
