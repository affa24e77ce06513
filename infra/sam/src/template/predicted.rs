//! Ids of resources that nobody creates on a laptop but that others mention, made as
//! `CloudFormation` would make them. Only such types are here; the id of a table or a key is never
//! guessed.

use super::Settings;

pub(super) const FUNCTION: &str = "AWS::Serverless::Function";
pub(super) const API: &str = "AWS::Serverless::Api";
pub(super) const LOG_GROUP: &str = "AWS::Logs::LogGroup";
/// API Gateway's ids have ten characters.
const API_ID: &str = "localapi00";

/// What `Ref` gives for a resource of that type.
pub(super) fn reference(settings: &Settings, kind: &str, logical_id: &str) -> Option<String> {
    match kind {
        API => Some(API_ID.into()),
        "AWS::SNS::Topic" => attribute(settings, kind, logical_id, "TopicArn"),
        FUNCTION
        | super::usage::KEY
        | super::usage::PLAN
        | "AWS::IAM::Role"
        | "AWS::CloudWatch::Alarm" => Some(name(settings, logical_id)),
        _ => None,
    }
}

/// What `GetAtt` gives.
pub(super) fn attribute(
    settings: &Settings,
    kind: &str,
    logical_id: &str,
    attribute: &str,
) -> Option<String> {
    let name = name(settings, logical_id);
    let arn = |service: &str, rest: String| {
        let Settings {
            partition,
            region,
            account_id,
            ..
        } = settings;
        let region = if service == "iam" { "" } else { region };
        format!("arn:{partition}:{service}:{region}:{account_id}:{rest}")
    };
    match (kind, attribute) {
        (FUNCTION, "Arn") => Some(arn("lambda", format!("function:{name}"))),
        (API, "RootResourceId") => Some("root000000".into()),
        ("AWS::IAM::Role", "Arn") => Some(arn("iam", format!("role/{name}"))),
        ("AWS::SNS::Topic", "TopicArn") => Some(arn("sns", name)),
        ("AWS::CloudWatch::Alarm", "Arn") => Some(arn("cloudwatch", format!("alarm:{name}"))),
        _ => None,
    }
}

/// The ARN by which others refer to a log group of this name.
pub(super) fn log_group_arn(settings: &Settings, name: &str) -> String {
    let Settings {
        partition,
        region,
        account_id,
        ..
    } = settings;
    format!("arn:{partition}:logs:{region}:{account_id}:log-group:{name}:*")
}

/// SAM makes `<Function>Role` for a function without a role of its own.
pub(super) fn generated_role(logical_id: &str) -> Option<&str> {
    logical_id.strip_suffix("Role")
}

fn name(settings: &Settings, logical_id: &str) -> String {
    format!("{}-{logical_id}", settings.stack_name)
}
