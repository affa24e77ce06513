//! The events that authorizers and functions get, member by member as API Gateway sends them
//! (payload version 1.0).

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use sam::template::Description;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, macros::format_description};

use super::{call::Call, route::Matched};

/// `$context`, and `requestContext` of every event.
pub(super) fn request_context(
    description: &Description,
    call: &Call,
    resource: Option<&str>,
) -> Map<String, Value> {
    let api = &description.api;
    let domain = call
        .host
        .rsplit_once(':')
        .map_or(call.host.as_str(), |(name, _)| name);
    let mut context = json!({
        "accountId": description.account_id,
        "apiId": api.id,
        "domainName": domain,
        "domainPrefix": domain.split('.').next(),
        "extendedRequestId": call.extended_request_id,
        "httpMethod": call.method,
        "identity": {
            "accessKey": null,
            "accountId": null,
            "caller": null,
            "cognitoAuthenticationProvider": null,
            "cognitoAuthenticationType": null,
            "cognitoIdentityId": null,
            "cognitoIdentityPoolId": null,
            "principalOrgId": null,
            "sourceIp": call.source_ip.to_string(),
            "user": null,
            "userAgent": call.header("user-agent"),
            "userArn": null,
        },
        "path": format!("/{}{}", api.stage, call.path),
        "protocol": "HTTP/1.1",
        "requestId": call.request_id,
        "requestTime": request_time(call.received),
        "requestTimeEpoch": call.received,
        "stage": api.stage,
    });
    if let Some(resource) = resource {
        context["resourceId"] = Value::String(resource_id(resource));
        context["resourcePath"] = Value::String(resource.to_owned());
    }
    match context {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// What the method is called in policies.
pub(super) fn method_arn(description: &Description, call: &Call) -> String {
    let Description {
        partition,
        region,
        account_id,
        api,
        ..
    } = description;
    let path = call.path.trim_start_matches('/');
    format!(
        "arn:{partition}:execute-api:{region}:{account_id}:{}/{}/{}/{path}",
        api.id, api.stage, call.method
    )
}

/// The event of a TOKEN authorizer.
pub(super) fn token(token: &str, method_arn: &str) -> Value {
    json!({"type": "TOKEN", "authorizationToken": token, "methodArn": method_arn})
}

/// The event of a REQUEST authorizer.
pub(super) fn request(
    description: &Description,
    call: &Call,
    matched: &Matched<'_>,
    method_arn: &str,
) -> Value {
    let mut event = common(description, call, matched);
    event["type"] = json!("REQUEST");
    event["methodArn"] = json!(method_arn);
    event["requestContext"] =
        Value::Object(request_context(description, call, Some(matched.resource)));
    event
}

/// The event of a function behind a Lambda proxy integration.
pub(super) fn proxy(
    description: &Description,
    call: &Call,
    matched: &Matched<'_>,
    authorizer: Option<Map<String, Value>>,
) -> Value {
    let mut event = common(description, call, matched);
    let mut context = request_context(description, call, Some(matched.resource));
    if let Some(authorizer) = authorizer {
        context.insert("authorizer".into(), Value::Object(authorizer));
    }
    event["requestContext"] = Value::Object(context);
    let binary = is_binary(
        &description.api.binary_media_types,
        call.header("content-type"),
    );
    event["isBase64Encoded"] = Value::Bool(binary && !call.body.is_empty());
    event["body"] = match call.body.as_slice() {
        [] => Value::Null,
        body if binary => Value::String(STANDARD.encode(body)),
        // Without a binary media type API Gateway takes any body for text and spoils what is none.
        body => Value::String(String::from_utf8_lossy(body).into_owned()),
    };
    event
}

/// Whether a media type is among the API's binary ones, which may contain wildcards.
pub(super) fn is_binary(binary: &[String], media_type: Option<&str>) -> bool {
    let Some(media_type) = media_type else {
        return false;
    };
    let media_type = media_type
        .split([';', ','])
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    binary
        .iter()
        .any(|pattern| super::policy::wildcard(&pattern.to_ascii_lowercase(), &media_type))
}

fn common(description: &Description, call: &Call, matched: &Matched<'_>) -> Value {
    json!({
        "resource": matched.resource,
        "path": format!("/{}", call.path.trim_start_matches('/')),
        "httpMethod": call.method,
        "headers": last_values(&call.headers),
        "multiValueHeaders": or_null(&call.headers),
        "queryStringParameters": last_values(&call.query),
        "multiValueQueryStringParameters": or_null(&call.query),
        "pathParameters": or_null(&matched.parameters),
        "stageVariables": or_null(&description.api.stage_variables),
    })
}

/// Single-value mappings keep the last value; API Gateway sends null instead of an empty mapping.
fn last_values(values: &BTreeMap<String, Vec<String>>) -> Value {
    or_null(
        &values
            .iter()
            .map(|(name, values)| (name.clone(), values.last()))
            .collect(),
    )
}

fn or_null<T: serde::Serialize>(members: &BTreeMap<String, T>) -> Value {
    if members.is_empty() {
        Value::Null
    } else {
        json!(members)
    }
}

/// `09/Apr/2015:12:34:56 +0000`.
fn request_time(milliseconds: i64) -> String {
    let format = format_description!(
        "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour \
         sign:mandatory][offset_minute]"
    );
    let moment = OffsetDateTime::from_unix_timestamp(milliseconds.div_euclid(1000)).ok();
    moment
        .and_then(|moment| moment.format(&format).ok())
        .unwrap_or_default()
}

/// Six characters that stay the same as long as the path does.
fn resource_id(path: &str) -> String {
    let digest = Sha256::digest(path.as_bytes());
    format!("{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}
