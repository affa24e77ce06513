//! Parameters, resources as declared, and the order in which to create those that exist on a
//! laptop.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    Physical, Settings, Template, TemplateError, below,
    globals::merged,
    intrinsics::Evaluator,
    predicted::{API, FUNCTION},
    section::text,
};

/// A resource to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedResource {
    /// Its name in the template.
    pub logical_id: String,
    /// What it is.
    pub kind: ResourceKind,
}

/// The kinds of resources that the local stack creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// `AWS::DynamoDB::Table`
    Table,
    /// `AWS::KMS::Key`
    Key,
    /// `AWS::KMS::Alias`
    Alias,
    /// `AWS::SecretsManager::Secret`
    Secret,
    /// `AWS::SQS::Queue`
    Queue,
}

impl ResourceKind {
    fn of(kind: &str) -> Option<Self> {
        match kind {
            "AWS::DynamoDB::Table" => Some(Self::Table),
            "AWS::KMS::Key" => Some(Self::Key),
            "AWS::KMS::Alias" => Some(Self::Alias),
            "AWS::SecretsManager::Secret" => Some(Self::Secret),
            "AWS::SQS::Queue" => Some(Self::Queue),
            _ => None,
        }
    }
}

/// Types without meaning on a laptop: permissions, watching and delivery of what nobody sends.
const WITHOUT_MEANING: &[&str] = &[
    "AWS::ApiGateway::Account",
    // Read with the API, where they are counted.
    super::usage::KEY,
    super::usage::PLAN,
    super::usage::PLAN_KEY,
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::VPCEndpoint",
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::WAFv2::LoggingConfiguration",
    "AWS::WAFv2::WebACL",
    // While its condition is false: see `refuse`.
    WEB_ACL_ASSOCIATION,
    super::access::SECRET_POLICY,
];

/// What would change answers and is not emulated.
const WEB_ACL_ASSOCIATION: &str = "AWS::WAFv2::WebACLAssociation";

/// A resource as it stands in the template, after `Globals`.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) kind: String,
    pub(super) condition: Option<String>,
    pub(super) depends_on: Vec<String>,
    pub(super) metadata: Map<String, Value>,
    pub(super) properties: Map<String, Value>,
}

pub(super) fn declared(
    resources: Map<String, Value>,
    globals: &Map<String, Value>,
) -> Result<BTreeMap<String, Declared>, TemplateError> {
    if let Some(unknown) = globals
        .keys()
        .find(|name| !matches!(name.as_str(), "Function" | "Api"))
    {
        return Err(TemplateError::new(
            below("Globals", unknown),
            "is not understood",
        ));
    }
    let mut declared = BTreeMap::new();
    for (logical_id, body) in resources {
        let resource = declare(&logical_id, body, globals)?;
        declared.insert(logical_id, resource);
    }
    Ok(declared)
}

fn declare(
    logical_id: &str,
    body: Value,
    globals: &Map<String, Value>,
) -> Result<Declared, TemplateError> {
    let Value::Object(mut body) = body else {
        return Err(TemplateError::new(logical_id, "not a mapping"));
    };
    let Some(Value::String(kind)) = body.remove("Type") else {
        return Err(TemplateError::new(below(logical_id, "Type"), "is required"));
    };
    let global = match kind.as_str() {
        FUNCTION => globals.get("Function"),
        API => globals.get("Api"),
        known if ResourceKind::of(known).is_some() || WITHOUT_MEANING.contains(&known) => None,
        unknown => {
            return Err(TemplateError::new(
                logical_id,
                format!("the type {unknown} is not understood"),
            ));
        }
    };
    let mut mapping = |name: &str| match body.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members),
        Some(_) => Err(TemplateError::new(below(logical_id, name), "not a mapping")),
    };
    let (properties, metadata) = (mapping("Properties")?, mapping("Metadata")?);
    let condition = body.remove("Condition").map(|condition| {
        text(&condition)
            .ok_or_else(|| TemplateError::new(below(logical_id, "Condition"), "not a name"))
    });
    let depends_on = match body.remove("DependsOn") {
        None => Vec::new(),
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(text).collect(),
        Some(_) => {
            return Err(TemplateError::new(
                below(logical_id, "DependsOn"),
                "neither a name nor a list",
            ));
        }
    };
    for without_meaning in ["DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy"] {
        body.remove(without_meaning);
    }
    if let Some(unknown) = body.keys().next() {
        return Err(TemplateError::new(
            below(logical_id, unknown),
            "is not understood",
        ));
    }
    let properties = merged(global, properties);
    Ok(Declared {
        kind,
        condition: condition.transpose()?,
        depends_on,
        metadata,
        properties,
    })
}

/// The parameters' values: overrides, else defaults.
pub(super) fn parameters(
    declared: Map<String, Value>,
    settings: &Settings,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    if let Some(unknown) = settings
        .parameters
        .keys()
        .find(|name| !declared.contains_key(*name))
    {
        return Err(TemplateError::new(
            below("Parameters", unknown),
            "was given but is not declared",
        ));
    }
    declared
        .into_iter()
        .map(|(name, body)| {
            let value = parameter(&name, &body, settings.parameters.get(&name))?;
            Ok((name, value))
        })
        .collect()
}

fn parameter(name: &str, body: &Value, given: Option<&String>) -> Result<Value, TemplateError> {
    let at = below("Parameters", name);
    let value = given
        .cloned()
        .or_else(|| body.get("Default").and_then(text))
        .ok_or_else(|| TemplateError::new(&at, "has no default and was not given"))?;
    if let Some(Value::Array(allowed)) = body.get("AllowedValues")
        && !allowed
            .iter()
            .filter_map(text)
            .any(|allowed| allowed == value)
    {
        return Err(TemplateError::new(
            at,
            format!("{value} is not among its AllowedValues"),
        ));
    }
    if let Some(pattern) = body.get("AllowedPattern").and_then(Value::as_str) {
        let pattern = regex::Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
            TemplateError::new(below(&at, "AllowedPattern"), "not a regular expression")
        })?;
        if !pattern.is_match(&value) {
            return Err(TemplateError::new(
                at,
                format!("{value} does not match its AllowedPattern"),
            ));
        }
    }
    let length = |member: &str| {
        body.get(member)
            .and_then(text)
            .and_then(|length| length.parse::<usize>().ok())
    };
    let characters = value.chars().count();
    if length("MaxLength").is_some_and(|longest| characters > longest) {
        return Err(TemplateError::new(
            at,
            format!("{value} is longer than its MaxLength"),
        ));
    }
    if length("MinLength").is_some_and(|shortest| characters < shortest) {
        return Err(TemplateError::new(
            at,
            format!("{value} is shorter than its MinLength"),
        ));
    }
    match body.get("Type").and_then(Value::as_str) {
        Some("String") => Ok(Value::String(value)),
        Some("Number") if value.parse::<f64>().is_ok() => Ok(Value::String(value)),
        Some("Number") => Err(TemplateError::new(at, format!("{value} is not a number"))),
        Some("CommaDelimitedList" | "List<Number>") => Ok(value
            .split(',')
            .map(|item| Value::from(item.trim()))
            .collect()),
        _ => Err(TemplateError::new(below(&at, "Type"), "is not understood")),
    }
}

/// Refuses resources that would change answers if they were there.
pub(super) fn refuse(template: &Template, evaluator: &Evaluator<'_>) -> Result<(), TemplateError> {
    match template.of_type(WEB_ACL_ASSOCIATION, evaluator)?.first() {
        None => Ok(()),
        Some((logical_id, _)) => Err(TemplateError::new(
            logical_id.as_str(),
            "the local stack has no web ACL",
        )),
    }
}

/// Resources in creation order: each after those that it mentions.
pub(super) fn plan(template: &Template) -> Result<Vec<PlannedResource>, TemplateError> {
    let nothing = Physical::new();
    let evaluator = Evaluator::new(template, &nothing);
    let mut waiting: BTreeMap<&String, (ResourceKind, BTreeSet<String>)> = BTreeMap::new();
    for (logical_id, declared) in &template.declared {
        let Some(kind) = ResourceKind::of(&declared.kind) else {
            continue;
        };
        if evaluator.exists(logical_id)? {
            let mut needs: BTreeSet<String> = declared.depends_on.iter().cloned().collect();
            declared
                .properties
                .values()
                .for_each(|value| mentioned(value, &mut needs));
            waiting.insert(logical_id, (kind, needs));
        }
    }
    let mut planned: Vec<PlannedResource> = Vec::new();
    while !waiting.is_empty() {
        let ready: Vec<&String> = waiting
            .iter()
            .filter(|(_, (_, needs))| !needs.iter().any(|need| waiting.contains_key(need)))
            .map(|(logical_id, _)| *logical_id)
            .collect();
        if ready.is_empty() {
            let names: Vec<&str> = waiting.keys().map(|name| name.as_str()).collect();
            return Err(TemplateError::new(
                names.join(", "),
                "refer to each other in a circle",
            ));
        }
        for logical_id in ready {
            if let Some((kind, _)) = waiting.remove(logical_id) {
                planned.push(PlannedResource {
                    logical_id: logical_id.clone(),
                    kind,
                });
            }
        }
    }
    Ok(planned)
}

/// Collects the names that a value refers to.
fn mentioned(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match (key.as_str(), member) {
                    ("Ref", Value::String(name)) => drop(names.insert(name.clone())),
                    ("Fn::GetAtt", Value::Array(path)) => names.extend(path.first().and_then(text)),
                    ("Fn::Sub", Value::String(pattern)) => substituted(pattern, names),
                    _ => mentioned(member, names),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                // `Fn::Sub` with a mapping has its pattern as a list item; in other lists this
                // finds nothing.
                match item {
                    Value::String(pattern) => substituted(pattern, names),
                    other => mentioned(other, names),
                }
            }
        }
        _ => {}
    }
}

fn substituted(pattern: &str, names: &mut BTreeSet<String>) {
    for part in pattern.split("${").skip(1) {
        if let Some((name, _)) = part.split_once('}') {
            names.extend(name.split('.').next().map(|name| name.trim().to_owned()));
        }
    }
}
