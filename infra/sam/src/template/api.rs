//! `AWS::Serverless::Api`: the stage, its authorizers, its gateway responses, and the routes that
//! functions declare.

use std::collections::BTreeMap;

use super::{
    AccessLogSetting, Function, GatewayResponse, HeaderValue, ResponseType, RestApi, Route,
    Template, TemplateError, auth::Auth, below, function::ApiEvent, intrinsics::Evaluator,
    predicted::API, section::Section, usage,
};

/// Properties that change nothing on a laptop.
const WITHOUT_MEANING: [&str; 11] = [
    "AlwaysDeploy",
    "Description",
    "DisableExecuteApiEndpoint",
    "Domain",
    "EndpointConfiguration",
    "FailOnWarnings",
    "Name",
    "OpenApiVersion",
    "PropagateTags",
    "Tags",
    "TracingEnabled",
];

pub(super) fn read(
    template: &Template,
    evaluator: &Evaluator<'_>,
    functions: &BTreeMap<String, Function>,
    events: Vec<ApiEvent>,
) -> Result<RestApi, TemplateError> {
    let found = template.of_type(API, evaluator)?;
    let [(logical_id, declared)] = found.as_slice() else {
        return Err(TemplateError::new(
            "Resources",
            format!("there must be one {API}, not {}", found.len()),
        ));
    };
    let mut properties = Section::new(
        below(logical_id, "Properties"),
        declared.properties.clone(),
        evaluator,
    );
    let id = evaluator.evaluate(&serde_json::json!({"Ref": logical_id}), logical_id)?;
    let id = id
        .and_then(|id| id.as_str().map(str::to_owned))
        .unwrap_or_default();
    let stage = properties.required_text("StageName")?;
    let auth = Auth::read(properties.section("Auth")?, functions)?;
    let api_key_source = properties.text("ApiKeySourceType")?;
    let api = RestApi {
        logical_id: (*logical_id).clone(),
        usage_plans: usage::read(template, evaluator, &id, &stage)?,
        stage,
        stage_variables: properties.map("Variables")?.into_iter().collect(),
        // SAM takes `image~1png` for `image/png`.
        binary_media_types: properties
            .texts("BinaryMediaTypes")?
            .iter()
            .map(|kind| kind.replace("~1", "/"))
            .collect(),
        gateway_responses: gateway_responses(properties.section("GatewayResponses")?)?,
        routes: routes(&id, events, &auth, api_key_source.as_deref())?,
        access_log: access_log(properties.section("AccessLogSetting")?)?,
        method_settings: properties.value("MethodSettings")?,
        id,
        authorizers: auth.authorizers,
    };
    properties.ignore(&WITHOUT_MEANING);
    properties.done()?;
    Ok(api)
}

fn routes(
    api_id: &str,
    events: Vec<ApiEvent>,
    auth: &Auth,
    api_key_source: Option<&str>,
) -> Result<Vec<Route>, TemplateError> {
    const METHODS: [&str; 8] = [
        "ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT",
    ];
    let mut routes: Vec<Route> = Vec::new();
    for event in events {
        if event.api_id != api_id {
            return Err(TemplateError::new(
                below(&event.at, "RestApiId"),
                "is not this template's API",
            ));
        }
        if !METHODS.contains(&event.method.as_str()) {
            return Err(TemplateError::new(
                below(&event.at, "Method"),
                format!("{} is not a method", event.method),
            ));
        }
        if routes
            .iter()
            .any(|route| route.path == event.path && route.method == event.method)
        {
            return Err(TemplateError::new(
                event.at,
                format!("{} {} is declared twice", event.method, event.path),
            ));
        }
        let authorizer = auth.of(&event)?;
        let api_key_required = event.api_key_required;
        if api_key_required && api_key_source != Some("AUTHORIZER") {
            let at = below(&event.at, "Auth.ApiKeyRequired");
            return Err(TemplateError::new(
                at,
                "only with ApiKeySourceType: AUTHORIZER, not from a header",
            ));
        }
        routes.push(Route {
            path: event.path,
            method: event.method,
            function: event.function,
            authorizer,
            api_key_required,
        });
    }
    Ok(routes)
}

fn access_log(section: Option<Section<'_>>) -> Result<Option<AccessLogSetting>, TemplateError> {
    let Some(mut section) = section else {
        return Ok(None);
    };
    let setting = AccessLogSetting {
        destination: section.required_text("DestinationArn")?,
        format: section.required_text("Format")?,
    };
    section.done()?;
    Ok(Some(setting))
}

fn gateway_responses(
    section: Option<Section<'_>>,
) -> Result<BTreeMap<ResponseType, GatewayResponse>, TemplateError> {
    let mut responses = BTreeMap::new();
    let Some(section) = section else {
        return Ok(responses);
    };
    let at = section.at().to_owned();
    for (name, body) in section.sections()? {
        let kind = ResponseType::named(&name).ok_or_else(|| {
            TemplateError::new(below(&at, &name), "is not a gateway response type")
        })?;
        responses.insert(kind, gateway_response(body)?);
    }
    Ok(responses)
}

fn gateway_response(mut body: Section<'_>) -> Result<GatewayResponse, TemplateError> {
    let status = match body.number("StatusCode")? {
        None => None,
        Some(status) => match u16::try_from(status) {
            Ok(status) if (100..=599).contains(&status) => Some(status),
            _ => return Err(body.error("StatusCode", format!("{status} is not a status"))),
        },
    };
    let mut headers = BTreeMap::new();
    if let Some(mut parameters) = body.section("ResponseParameters")? {
        for (name, value) in parameters.map("Headers")? {
            let value = header_value(&value).ok_or_else(|| {
                parameters.error(
                    &below("Headers", &name),
                    format!("{value} is neither 'text' nor a known mapping"),
                )
            })?;
            headers.insert(name, value);
        }
        parameters.done()?;
    }
    let templates: BTreeMap<String, String> = body.map("ResponseTemplates")?.into_iter().collect();
    for (kind, template) in &templates {
        if ["$input", "$util", "$method", "#set", "#if", "#foreach"]
            .iter()
            .any(|code| template.contains(code))
        {
            let member = below("ResponseTemplates", kind);
            return Err(body.error(
                &member,
                "gateway responses only substitute $context and $stageVariables",
            ));
        }
    }
    body.done()?;
    Ok(GatewayResponse {
        status,
        headers,
        templates,
    })
}

fn header_value(value: &str) -> Option<HeaderValue> {
    if let Some(literal) = value
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
    {
        return Some(HeaderValue::Literal(literal.to_owned()));
    }
    if let Some(path) = value.strip_prefix("context.") {
        return Some(HeaderValue::Context(path.to_owned()));
    }
    value
        .strip_prefix("method.request.header.")
        .map(|name| HeaderValue::RequestHeader(name.to_owned()))
}
