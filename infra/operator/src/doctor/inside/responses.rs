//! The gateway's own answers: each as the template has it.

use aws_sdk_apigateway::types::GatewayResponse as Deployed;
use sam::template::{GatewayResponse, HeaderValue};

use super::{
    super::{
        expected::Expected,
        report::{Check, Outcome, Several, Trouble},
    },
    api::Api,
    aws::answered,
};

pub(super) const RESPONSES: Check = Check(
    "api.gateway_responses",
    "Deploy the template again; of a gateway response that was changed by hand, delete the change \
     first.",
);

/// Status, body and headers of every type that the template customises.
pub(super) async fn all(api: Result<&Api<'_>, &Trouble>, expected: &Expected) -> Outcome {
    let api = api.map_err(Trouble::clone)?;
    let asked = api
        .aws
        .gateway
        .get_gateway_responses()
        .rest_api_id(api.id)
        .limit(500)
        .send()
        .await;
    let found = answered("apigateway:GetGatewayResponses", asked)?
        .items
        .unwrap_or_default();
    let mut several = Several::default();
    for (kind, wanted) in &expected.template.api.gateway_responses {
        let name = kind.name();
        match found.iter().find(|found| {
            found
                .response_type()
                .is_some_and(|kind| kind.as_str() == name)
        }) {
            None => several.wrong(format!("{name} is not customised")),
            Some(found) if found.default_response() => {
                several.wrong(format!("{name} is not customised"));
            }
            Some(found) => differences(wanted, found)
                .into_iter()
                .for_each(|what| several.wrong(format!("{name} has {what}"))),
        }
    }
    several.outcome(format!(
        "{} gateway responses are the template's",
        expected.template.api.gateway_responses.len()
    ))
}

fn differences(wanted: &GatewayResponse, found: &Deployed) -> Vec<String> {
    let mut differences = Vec::new();
    let status = wanted.status.map(|status| status.to_string());
    if status.as_deref() != found.status_code() {
        differences.push(format!(
            "status {} and not {}",
            found.status_code().unwrap_or("by default"),
            status.unwrap_or_default()
        ));
    }
    let empty = std::collections::HashMap::new();
    let (bodies, headers) = (
        found.response_templates().unwrap_or(&empty),
        found.response_parameters().unwrap_or(&empty),
    );
    if wanted
        .templates
        .iter()
        .any(|(media_type, body)| bodies.get(media_type) != Some(body))
        || bodies.len() != wanted.templates.len()
    {
        differences.push("another body".into());
    }
    for (name, value) in &wanted.headers {
        let value = match value {
            HeaderValue::Literal(text) => format!("'{text}'"),
            HeaderValue::Context(path) => format!("context.{path}"),
            HeaderValue::RequestHeader(name) => format!("method.request.header.{name}"),
        };
        if headers.get(&format!("gatewayresponse.header.{name}")) != Some(&value) {
            differences.push(format!("another {name}, or none"));
        }
    }
    differences
}
