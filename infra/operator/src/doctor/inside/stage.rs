//! The stage: what is deployed, what it writes down about calls, and that it keeps no answers.

use aws_sdk_apigateway::operation::get_stage::GetStageOutput;
use runtime::Env;

use super::{
    super::report::{Check, Outcome, Several, Trouble},
    api::Api,
    aws::{Aws, answered},
    named,
};

pub(super) const DEPLOYMENT: Check = Check(
    "api.deployment",
    "Point the stage at the latest deployment (`aws apigateway create-deployment`, or deploy the \
     template again): changes that are not deployed do nothing.",
);
pub(super) const ACCESS_LOG: Check = Check(
    "api.access_log",
    "Deploy the template again: its AccessLogSetting names the log group and what a line has.",
);
pub(super) const EXECUTION_LOG: Check = Check(
    "api.execution_log",
    "Deploy the template again: execution logs, data traces and X-Ray carry headers and bodies, \
     and so tokens and secrets.",
);
pub(super) const CACHE: Check = Check(
    "api.cache",
    "Turn the stage's cache off: an answer that is kept is given to whoever asks next, revoked or \
     not.",
);
pub(super) const ACCOUNT: Check = Check(
    "api.account",
    "Set a role by which API Gateway writes logs, once per account and Region (parameter \
     AccessLogRole=create, or `aws apigateway update-account`): without one there are no access \
     logs.",
);

/// The variables without which nobody finds out why a call was denied, and when.
const NEEDED: [&str; 7] = [
    "requestId",
    "requestTimeEpoch",
    "identity.sourceIp",
    "resourcePath",
    "status",
    "error.responseType",
    "authorizer.message_code",
];

/// What has a closed vocabulary or is a number: whole names, and beginnings of names that end with
/// a dot.
///
/// Not among them: the path (`path`), the query, headers and bodies; the user agent; API keys;
/// `error.message` and `messageString`, in which API Gateway quotes an Authorization header; and
/// whatever else a caller may write into.
const HARMLESS: [&str; 54] = [
    "accountId",
    "apiId",
    "authorize.error",
    "authorize.latency",
    "authorize.status",
    "authorizer.bank",
    "authorizer.client_id",
    "authorizer.customer",
    "authorizer.environment",
    "authorizer.error",
    "authorizer.expires_at",
    "authorizer.integrationLatency",
    "authorizer.integrationStatus",
    "authorizer.jti",
    "authorizer.latency",
    "authorizer.message",
    "authorizer.message_code",
    "authorizer.organization",
    "authorizer.owner",
    "authorizer.principalId",
    "authorizer.requestId",
    "authorizer.role",
    "authorizer.scopes",
    "authorizer.sid",
    "authorizer.status",
    "awsEndpointRequestId",
    "awsEndpointRequestId2",
    "deploymentId",
    "endpointType",
    "error.responseType",
    "extendedRequestId",
    "httpMethod",
    "identity.apiKeyId",
    "identity.sourceIp",
    "identity.vpcId",
    "identity.vpceId",
    "integration.error",
    "integration.integrationStatus",
    "integration.latency",
    "integration.requestId",
    "integration.status",
    "integrationLatency",
    "integrationStatus",
    "protocol",
    "requestId",
    "requestTime",
    "requestTimeEpoch",
    "resourceId",
    "resourcePath",
    "responseLatency",
    "responseLength",
    "stage",
    "status",
    "xrayTraceId",
];

/// The stage as it is.
pub(super) async fn read(api: Result<&Api<'_>, &Trouble>) -> Result<GetStageOutput, Trouble> {
    let api = api.map_err(Trouble::clone)?;
    answered(
        "apigateway:GetStage",
        api.aws
            .gateway
            .get_stage()
            .rest_api_id(api.id)
            .stage_name(api.stage)
            .send()
            .await,
    )
}

/// That the stage serves what was deployed last.
pub(super) async fn deployment(
    api: Result<&Api<'_>, &Trouble>,
    stage: Result<&GetStageOutput, &Trouble>,
) -> Outcome {
    let (api, stage) = (api.map_err(Trouble::clone)?, stage.map_err(Trouble::clone)?);
    let asked = api
        .aws
        .gateway
        .get_deployments()
        .rest_api_id(api.id)
        .limit(500)
        .send()
        .await;
    let deployments = answered("apigateway:GetDeployments", asked)?
        .items
        .unwrap_or_default();
    let latest = deployments.iter().max_by_key(|deployment| {
        deployment
            .created_date()
            .map(|at| (at.secs(), at.subsec_nanos()))
    });
    let (latest, own) = (latest.and_then(|latest| latest.id()), stage.deployment_id());
    match (own, latest) {
        (None, _) => Err(Trouble::Wrong("the stage has no deployment".into())),
        (_, None) => Err(Trouble::Unknown(
            "apigateway:GetDeployments tells none".into(),
        )),
        (Some(own), Some(latest)) if own != latest => Err(Trouble::Wrong(format!(
            "the stage serves deployment {own}, and {latest} is newer"
        ))),
        (Some(own), _) => Ok(format!("{own} is the latest deployment")),
    }
}

/// That there is an access log which tells why a call was denied and cannot hold a credential
/// (LEAK-1).
pub(super) fn access_log(stage: Result<&GetStageOutput, &Trouble>, env: &Env) -> Outcome {
    let stage = stage.map_err(Trouble::clone)?;
    let Some(log) = stage.access_log_settings() else {
        return Err(Trouble::Wrong("the stage has no access log".into()));
    };
    let mut several = Several::default();
    let destination = log.destination_arn().unwrap_or_default();
    if let Some(group) = several.take(named(env, "LATCHKEY_ACCESS_LOGS")) {
        let meant = destination.trim_end_matches(":*");
        if meant.splitn(7, ':').last() != Some(group) {
            several.wrong(format!("lines go to {destination:?} and not to {group}"));
        }
    }
    let format = log.format().unwrap_or_default();
    let variables = variables(format);
    for needed in NEEDED.iter().filter(|needed| !variables.contains(*needed)) {
        several.wrong(format!("a line lacks $context.{needed}"));
    }
    let waf = |name: &str| name.starts_with("waf") || name == "webaclArn";
    for risky in variables
        .iter()
        .filter(|name| !HARMLESS.contains(*name) && !waf(name))
    {
        several.wrong(format!(
            "$context.{risky} may hold what a caller wrote, a credential too"
        ));
    }
    if several.is_fine() && !is_json(format) {
        several.wrong("a line is no JSON object");
    }
    several.outcome(format!(
        "{} variables, none of which holds what a caller wrote",
        variables.len()
    ))
}

/// Every `$context.…` of a format.
fn variables(format: &str) -> Vec<&str> {
    let name = |rest: &str| {
        rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
            .unwrap_or(rest.len())
    };
    let after = format.split("$context.").skip(1);
    after
        .map(|rest| rest[..name(rest)].trim_end_matches('.'))
        .collect()
}

fn is_json(format: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(format).is_ok_and(|line| line.is_object())
}

/// That nothing else is written down about calls.
pub(super) fn execution_log(stage: Result<&GetStageOutput, &Trouble>) -> Outcome {
    let stage = stage.map_err(Trouble::clone)?;
    let mut several = Several::default();
    for (methods, setting) in stage.method_settings().into_iter().flatten() {
        match setting.logging_level() {
            None | Some("OFF" | "") => {}
            Some(level) => several.wrong(format!("the execution log of {methods} is on ({level})")),
        }
        if setting.data_trace_enabled() {
            several.wrong(format!("the data trace of {methods} is on"));
        }
    }
    if stage.tracing_enabled() {
        several.wrong("X-Ray is on");
    }
    several.outcome("execution logs, data traces and X-Ray are off")
}

/// That no answer is kept.
pub(super) fn cache(stage: Result<&GetStageOutput, &Trouble>) -> Outcome {
    let stage = stage.map_err(Trouble::clone)?;
    let mut several = Several::default();
    if stage.cache_cluster_enabled() {
        several.wrong("the stage has a cache");
    }
    let settings = stage.method_settings().into_iter().flatten();
    for (methods, _) in settings.filter(|(_, setting)| setting.caching_enabled()) {
        several.wrong(format!("answers of {methods} are kept"));
    }
    several.outcome("no answer is kept")
}

/// That API Gateway has a role by which to write logs at all.
pub(super) async fn account(aws: &Aws) -> Outcome {
    let account = answered(
        "apigateway:GetAccount",
        aws.gateway.get_account().send().await,
    )?;
    match account
        .cloudwatch_role_arn()
        .filter(|role| !role.is_empty())
    {
        Some(role) => Ok(format!("logs are written by {role}")),
        None => Err(Trouble::Wrong(
            "this account's API Gateway has no role for logs".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_wherever_they_stand() {
        let format = r#"{"a":"$context.requestId","b":$context.status,"c":"$context.authorizer.message_code."}"#;
        assert_eq!(
            variables(format),
            ["requestId", "status", "authorizer.message_code"]
        );
        assert_eq!(variables("none"), [""; 0]);
    }

    #[test]
    fn the_list_is_in_order() {
        assert!(HARMLESS.is_sorted());
    }
}
