//! `AWS::Serverless::Function`: what runs, with which environment, for which events.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Function, Schedule, Stream, Template, TemplateError, below, intrinsics::Evaluator,
    predicted::FUNCTION, resources::Declared, section::Section,
};

/// Properties that change nothing on a laptop.
const WITHOUT_MEANING: [&str; 25] = [
    "Architectures",
    "AutoPublishAlias",
    "CodeSigningConfigArn",
    "DeadLetterQueue",
    "DeploymentPreference",
    "Description",
    "EphemeralStorage",
    "EventInvokeConfig",
    "FunctionName",
    "Handler",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ReservedConcurrentExecutions",
    "Role",
    "RolePath",
    "Runtime",
    "RuntimeManagementConfig",
    "SnapStart",
    "Tags",
    "Tracing",
    "VpcConfig",
];

/// SAM's and Lambda's defaults.
const TIMEOUT_SECONDS: u64 = 3;
const MEMORY_MIB: u64 = 128;

/// An event of type `Api` as declared, before the API's authorizers are known.
pub(super) struct ApiEvent {
    pub(super) at: String,
    pub(super) function: String,
    pub(super) path: String,
    pub(super) method: String,
    pub(super) api_id: String,
    pub(super) authorizer: Option<String>,
    pub(super) api_key_required: bool,
}

pub(super) fn read(
    template: &Template,
    evaluator: &Evaluator<'_>,
) -> Result<(BTreeMap<String, Function>, Vec<ApiEvent>), TemplateError> {
    let mut functions = BTreeMap::new();
    let mut events = Vec::new();
    for (logical_id, declared) in template.of_type(FUNCTION, evaluator)? {
        let function = read_one(logical_id, declared, evaluator, &mut events)?;
        functions.insert(logical_id.clone(), function);
    }
    Ok((functions, events))
}

fn read_one(
    logical_id: &str,
    declared: &Declared,
    evaluator: &Evaluator<'_>,
    events: &mut Vec<ApiEvent>,
) -> Result<Function, TemplateError> {
    let mut properties = Section::new(
        below(logical_id, "Properties"),
        declared.properties.clone(),
        evaluator,
    );
    let arn = serde_json::json!({"Fn::GetAtt": [logical_id, "Arn"]});
    let arn = evaluator
        .evaluate(&arn, logical_id)?
        .and_then(|arn| arn.as_str().map(str::to_owned));
    let mut environment = properties.section("Environment")?;
    let variables = match environment.as_mut() {
        Some(environment) => environment.map("Variables")?,
        None => Vec::new(),
    };
    if let Some(environment) = environment {
        environment.done()?;
    }
    let mut function = Function {
        logical_id: logical_id.to_owned(),
        arn: arn.unwrap_or_default(),
        binary: binary(logical_id, declared, &mut properties, evaluator)?,
        environment: variables.into_iter().collect(),
        timeout: Duration::from_secs(properties.number("Timeout")?.unwrap_or(TIMEOUT_SECONDS)),
        memory: properties.number("MemorySize")?.unwrap_or(MEMORY_MIB),
        streams: Vec::new(),
        schedules: Vec::new(),
    };
    if let Some(declared) = properties.section("Events")? {
        for (name, event) in declared.sections()? {
            read_event(name, event, &mut function, events)?;
        }
    }
    properties.ignore(&WITHOUT_MEANING);
    properties.done()?;
    Ok(function)
}

fn binary(
    logical_id: &str,
    declared: &Declared,
    properties: &mut Section<'_>,
    evaluator: &Evaluator<'_>,
) -> Result<String, TemplateError> {
    let code = properties.text("CodeUri")?;
    let mut metadata = Section::new(
        below(logical_id, "Metadata"),
        declared.metadata.clone(),
        evaluator,
    );
    if let Some(mut build) = metadata.section("BuildProperties")?
        && let Some(binary) = build.text("Binary")?
    {
        return Ok(binary);
    }
    let last = code.as_deref().map(|code| {
        code.trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
    });
    match last {
        Some(name) if !matches!(name, "" | "." | "..") => Ok(name.to_owned()),
        _ => Err(properties.error(
            "CodeUri",
            "names no program, and Metadata.BuildProperties.Binary is absent",
        )),
    }
}

fn read_event(
    name: String,
    mut event: Section<'_>,
    function: &mut Function,
    events: &mut Vec<ApiEvent>,
) -> Result<(), TemplateError> {
    let kind = event.required_text("Type")?;
    let properties = event
        .section("Properties")?
        .ok_or_else(|| event.error("Properties", "is required"))?;
    match kind.as_str() {
        "Api" => events.push(read_api_event(function, properties)?),
        "DynamoDB" => function.streams.push(read_stream(name, properties)?),
        "Schedule" => function.schedules.push(read_schedule(name, properties)?),
        other => return Err(event.error("Type", format!("{other} is not understood"))),
    }
    event.done()
}

fn read_stream(name: String, properties: Section<'_>) -> Result<Stream, TemplateError> {
    let at = properties.at().to_owned();
    let properties = properties.rest()?;
    match properties.get("Stream").and_then(|stream| stream.as_str()) {
        Some(arn) => Ok(Stream {
            name,
            arn: arn.to_owned(),
            properties,
        }),
        None => Err(TemplateError::new(below(&at, "Stream"), "is required")),
    }
}

/// `rate(…)` alone: nothing here needs a time of day.
fn read_schedule(name: String, mut properties: Section<'_>) -> Result<Schedule, TemplateError> {
    let expression = properties.required_text("Schedule")?;
    let every = expression
        .strip_prefix("rate(")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|rate| {
            let (number, unit) = rate.split_once(' ')?;
            let seconds = match unit {
                "minute" | "minutes" => 60,
                "hour" | "hours" => 3600,
                "day" | "days" => 86400,
                _ => return None,
            };
            number
                .parse::<u64>()
                .ok()
                .filter(|number| *number > 0)?
                .checked_mul(seconds)
        });
    let every = every.ok_or_else(|| {
        properties.error("Schedule", format!("{expression} is not rate(NUMBER UNIT)"))
    })?;
    properties.ignore(&["Description", "Name"]);
    properties.done()?;
    Ok(Schedule {
        name,
        every: Duration::from_secs(every),
    })
}

fn read_api_event(
    function: &Function,
    mut properties: Section<'_>,
) -> Result<ApiEvent, TemplateError> {
    let api_id = properties.text("RestApiId")?.ok_or_else(|| {
        properties.error(
            "RestApiId",
            "is required: without it SAM makes another API beside the declared one",
        )
    })?;
    let mut auth = properties.section("Auth")?;
    let (authorizer, api_key_required) = match auth.as_mut() {
        Some(auth) => {
            auth.ignore(&["OverrideApiAuth"]);
            (
                auth.text("Authorizer")?,
                auth.flag("ApiKeyRequired")?.unwrap_or(false),
            )
        }
        None => (None, false),
    };
    if let Some(auth) = auth {
        auth.done()?;
    }
    let event = ApiEvent {
        at: properties.at().to_owned(),
        function: function.logical_id.clone(),
        path: properties.required_text("Path")?,
        method: properties.required_text("Method")?.to_ascii_uppercase(),
        api_id,
        authorizer,
        api_key_required,
    };
    properties.done()?;
    Ok(event)
}
