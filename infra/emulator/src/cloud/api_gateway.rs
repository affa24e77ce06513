//! The control plane of API Gateway, to be read alone: what the template made, as the REST JSON
//! calls of the SDK show it.
//!
//! Differs from AWS: there is one API with one stage and one deployment, which is as old as this
//! process; all items are on one page.

use axum::http::StatusCode;
use domain::time::Timestamp;
use sam::template::{
    Authorizer, AuthorizerKind, Description, GatewayResponse, HeaderValue, IdentitySource,
    ResponseType, RestApi, Route,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{arn::ACCOUNT, aws_json::AwsError};

/// What there is, as the calls answer it.
pub(super) struct ControlPlane {
    id: String,
    stage_name: String,
    authorizers: Value,
    gateway_responses: Value,
    stage: Value,
    resources: Value,
    deployments: Value,
}

impl ControlPlane {
    /// Describes the API that a template made at this moment.
    pub(super) fn of(description: &Description, now: Timestamp) -> Self {
        let api = &description.api;
        let (deployment, created) = (id("deployment"), now.seconds());
        Self {
            id: api.id.clone(),
            stage_name: api.stage.clone(),
            authorizers: items(
                api.authorizers
                    .values()
                    .map(|authorizer| shown_authorizer(authorizer, description)),
            ),
            gateway_responses: items(
                ResponseType::ALL
                    .into_iter()
                    .map(|kind| shown_response(kind, api.gateway_responses.get(&kind))),
            ),
            stage: stage(api, &deployment, created),
            resources: items(resources(&api.routes)),
            deployments: items([json!({"id": deployment, "createdDate": created})]),
        }
    }

    /// The answer to `GET` of this path.
    pub(super) fn answer(&self, path: &str) -> Result<Value, AwsError> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let known = |what: &str, given: &str, mine: &str| {
            if given == mine {
                Ok(())
            } else {
                Err(missing(&format!(
                    "Invalid {what} identifier specified {ACCOUNT}:{given}"
                )))
            }
        };
        match *parts.as_slice() {
            // Which role writes access logs is set for an account as a whole; here no role is
            // needed.
            ["account"] => Ok(json!({
                "cloudwatchRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/local-gateway-logs"),
            })),
            ["restapis", api, ref rest @ ..] => {
                known("API", api, &self.id)?;
                match *rest {
                    [] => Ok(json!({"id": self.id})),
                    ["authorizers"] => Ok(self.authorizers.clone()),
                    ["gatewayresponses"] => Ok(self.gateway_responses.clone()),
                    ["resources"] => Ok(self.resources.clone()),
                    ["deployments"] => Ok(self.deployments.clone()),
                    ["stages", stage] => {
                        known("Stage", stage, &self.stage_name).map(|()| self.stage.clone())
                    }
                    _ => Err(not_offered(path)),
                }
            }
            _ => Err(not_offered(path)),
        }
    }
}

fn missing(message: &str) -> AwsError {
    AwsError::with_status(StatusCode::NOT_FOUND, "NotFoundException", message)
}

/// Also for what changes something.
pub(super) fn not_offered(path: &str) -> AwsError {
    AwsError::new(
        "UnknownOperationException",
        format!("not offered here: {path:?}"),
    )
}

fn items(shown: impl IntoIterator<Item = Value>) -> Value {
    json!({"item": shown.into_iter().collect::<Vec<_>>()})
}

/// Six characters that stay the same as long as the name does.
fn id(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    format!("{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

fn shown_authorizer(authorizer: &Authorizer, description: &Description) -> Value {
    let uri = description
        .functions
        .get(&authorizer.function)
        .map(|function| {
            let Description {
                partition, region, ..
            } = description;
            format!(
                "arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{}/\
                 invocations",
                function.arn
            )
        });
    let mut shown = json!({
        "id": id(&authorizer.name),
        "name": authorizer.name,
        "authType": "custom",
        "authorizerUri": uri,
        "authorizerResultTtlInSeconds": authorizer.ttl.as_secs(),
    });
    let (kind, source) = match &authorizer.kind {
        AuthorizerKind::Token { header, validation } => {
            if let Some(validation) = validation {
                shown["identityValidationExpression"] = validation.as_str().into();
            }
            ("TOKEN", format!("method.request.header.{header}"))
        }
        AuthorizerKind::Request { sources } => (
            "REQUEST",
            sources
                .iter()
                .map(shown_source)
                .collect::<Vec<_>>()
                .join(","),
        ),
    };
    shown["type"] = kind.into();
    if !source.is_empty() {
        shown["identitySource"] = source.into();
    }
    shown
}

fn shown_source(source: &IdentitySource) -> String {
    match source {
        IdentitySource::Header(name) => format!("method.request.header.{name}"),
        IdentitySource::Query(name) => format!("method.request.querystring.{name}"),
        IdentitySource::StageVariable(name) => format!("stageVariables.{name}"),
        IdentitySource::Context(path) => format!("context.{path}"),
    }
}

fn shown_response(kind: ResponseType, custom: Option<&GatewayResponse>) -> Value {
    let Some(custom) = custom else {
        let templates = json!({"application/json": "{\"message\":$context.error.messageString}"});
        return json!({
            "responseType": kind.name(),
            "responseTemplates": templates,
            "responseParameters": {},
            "defaultResponse": true,
        });
    };
    let parameters = custom.headers.iter().map(|(name, value)| {
        let value = match value {
            HeaderValue::Literal(text) => format!("'{text}'"),
            HeaderValue::Context(path) => format!("context.{path}"),
            HeaderValue::RequestHeader(name) => format!("method.request.header.{name}"),
        };
        (
            format!("gatewayresponse.header.{name}"),
            Value::String(value),
        )
    });
    let mut shown = json!({
        "responseType": kind.name(),
        "responseParameters": parameters.collect::<Map<_, _>>(),
        "responseTemplates": custom.templates,
        "defaultResponse": false,
    });
    if let Some(status) = custom.status {
        shown["statusCode"] = status.to_string().into();
    }
    shown
}

fn stage(api: &RestApi, deployment: &str, created: i64) -> Value {
    let mut shown = json!({
        "deploymentId": deployment,
        "stageName": api.stage,
        "cacheClusterEnabled": false,
        "tracingEnabled": false,
        "methodSettings": api.method_settings.as_ref().map_or_else(|| json!({}), method_settings),
        "createdDate": created,
        "lastUpdatedDate": created,
    });
    if !api.stage_variables.is_empty() {
        shown["variables"] = json!(api.stage_variables);
    }
    if let Some(log) = &api.access_log {
        // API Gateway shows it without the `:*` of the group's ARN.
        let destination = log
            .destination
            .strip_suffix(":*")
            .unwrap_or(&log.destination);
        shown["accessLogSettings"] = json!({"destinationArn": destination, "format": log.format});
    }
    shown
}

/// The template's list becomes a mapping by `path/METHOD`, with the `/` of a path written `~1`.
fn method_settings(declared: &Value) -> Value {
    let setting = |setting: &Value| {
        let text = |name: &str| setting[name].as_str().unwrap_or("*").to_owned();
        let resource = text("ResourcePath");
        let resource = resource
            .strip_prefix('/')
            .unwrap_or(&resource)
            .replace('/', "~1");
        let flag = |name: &str| {
            setting[name]
                .as_bool()
                .unwrap_or_else(|| setting[name].as_str() == Some("true"))
        };
        let mut shown = json!({
            "metricsEnabled": flag("MetricsEnabled"),
            "dataTraceEnabled": flag("DataTraceEnabled"),
            "cachingEnabled": flag("CachingEnabled"),
            "loggingLevel": setting["LoggingLevel"].as_str().unwrap_or("OFF"),
        });
        // A number may have become a string on its way through a parameter.
        let number = |name: &str| {
            setting[name]
                .as_str()
                .and_then(|text| text.parse().ok())
                .or_else(|| Some(setting[name].clone()))
        };
        for (name, declared) in [
            ("throttlingBurstLimit", "ThrottlingBurstLimit"),
            ("throttlingRateLimit", "ThrottlingRateLimit"),
        ] {
            shown[name] = number(declared)
                .filter(Value::is_number)
                .unwrap_or_else(|| json!(-1));
        }
        (format!("{resource}/{}", text("HttpMethod")), shown)
    };
    declared
        .as_array()
        .into_iter()
        .flatten()
        .map(setting)
        .collect::<Map<_, _>>()
        .into()
}

fn resources(routes: &[Route]) -> Vec<Value> {
    let mut resources: Vec<(String, Map<String, Value>)> = Vec::new();
    for route in routes {
        let (kind, authorizer) = match &route.authorizer {
            Some(name) => ("CUSTOM", Some(id(name))),
            None => ("NONE", None),
        };
        let mut method =
            json!({"httpMethod": route.method, "authorizationType": kind, "apiKeyRequired": false});
        if let Some(authorizer) = authorizer {
            method["authorizerId"] = authorizer.into();
        }
        let known = resources.iter().position(|(path, _)| *path == route.path);
        let index = known.unwrap_or_else(|| {
            resources.push((route.path.clone(), Map::new()));
            resources.len() - 1
        });
        resources[index].1.insert(route.method.clone(), method);
    }
    let shown = |(path, methods): (String, Map<String, Value>)| {
        let part = path.rsplit('/').next().unwrap_or_default();
        json!({"id": id(&path), "path": path, "pathPart": part, "resourceMethods": methods})
    };
    resources.into_iter().map(shown).collect()
}
