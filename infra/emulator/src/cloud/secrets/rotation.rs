//! What a rotation function and whoever starts it ask of Secrets Manager.

use serde::Deserialize;
use serde_json::Value;

use super::{
    super::{
        aws_json::{AwsError, read, required},
        state::Api,
    },
    secret::{CURRENT, Rotation, Secret, Version, missing},
    values::{answer_of, token},
};

const PENDING: &str = "AWSPENDING";

/// The operation's answer; `None` if there is no such operation here.
pub(super) fn answer(api: &Api, operation: &str, body: &[u8]) -> Option<Result<Value, AwsError>> {
    Some(match operation {
        "RotateSecret" => read(body).and_then(|request| rotate(api, request)),
        "CancelRotateSecret" => read(body).and_then(|request| cancel(api, &request)),
        "UpdateSecretVersionStage" => read(body).and_then(|request| update_stage(api, &request)),
        _ => return None,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RotateSecret {
    secret_id: Option<String>,
    client_request_token: Option<String>,
    #[serde(rename = "RotationLambdaARN")]
    rotation_lambda_arn: Option<String>,
    rotation_rules: Option<Value>,
    rotate_immediately: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CancelRotateSecret {
    secret_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateSecretVersionStage {
    secret_id: Option<String>,
    version_stage: Option<String>,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
}

/// `RotateSecret`: configures a rotation and starts one, with an empty version that waits for its
/// value.
fn rotate(api: &Api, request: RotateSecret) -> Result<Value, AwsError> {
    let id = required("secretId", request.secret_id.as_ref())?;
    let (token, now) = (token(request.client_request_token)?, (api.clock)());
    api.services.change(|services| {
        let name = services.secret_name(id)?;
        let secret = services.secrets.get_mut(&name).ok_or_else(missing)?;
        let configured = secret.rotation.as_ref();
        let function = request
            .rotation_lambda_arn
            .or_else(|| configured.map(|rotation| rotation.function.clone()));
        let function = function.ok_or_else(|| {
            invalid("No Lambda rotation function ARN is associated with this secret.")
        })?;
        let rules = request
            .rotation_rules
            .or_else(|| configured.and_then(|rotation| rotation.rules.clone()));
        let pending = secret.labelled(PENDING);
        if pending
            .is_some_and(|pending| *pending != token && Some(pending) != secret.labelled(CURRENT))
        {
            return Err(invalid(
                "A previous rotation isn't complete. That rotation will be reattempted.",
            ));
        }
        secret.rotation = Some(Rotation {
            enabled: true,
            function,
            rules,
        });
        if request.rotate_immediately == Some(false) {
            return Ok(answer_of(&secret.arn, &name, None));
        }
        let empty = || Version {
            value: None,
            created: now,
            stages: [].into(),
        };
        secret.versions.entry(token.clone()).or_insert_with(empty);
        secret.move_stage(PENDING, Some(&token));
        secret
            .versions
            .retain(|_, version| !version.stages.is_empty());
        Ok(answer_of(&secret.arn, &name, Some(&token)))
    })
}

/// `CancelRotateSecret`: no further ones. What is under way stays as it is.
fn cancel(api: &Api, request: &CancelRotateSecret) -> Result<Value, AwsError> {
    let id = required("secretId", request.secret_id.as_ref())?;
    api.services.change(|services| {
        let name = services.secret_name(id)?;
        let secret = services.secrets.get_mut(&name).ok_or_else(missing)?;
        let rotation = secret.rotation.as_mut();
        rotation
            .ok_or_else(|| {
                invalid("You can't cancel rotation for a secret that isn't configured for it.")
            })?
            .enabled = false;
        Ok(answer_of(&secret.arn, &name, secret.labelled(PENDING)))
    })
}

/// `UpdateSecretVersionStage`: moves a label from the version that is named to another one, or
/// takes it away.
fn update_stage(api: &Api, request: &UpdateSecretVersionStage) -> Result<Value, AwsError> {
    let id = required("secretId", request.secret_id.as_ref())?;
    let stage = required("versionStage", request.version_stage.as_ref())?;
    let now = (api.clock)();
    api.services.change(|services| {
        let name = services.secret_name(id)?;
        let secret = services.secrets.get_mut(&name).ok_or_else(missing)?;
        relabel(
            secret,
            stage,
            request.remove_from_version_id.as_deref(),
            request.move_to_version_id.as_deref(),
        )?;
        secret.changed = now;
        Ok(answer_of(&secret.arn, &name, None))
    })
}

fn relabel(
    secret: &mut Secret,
    stage: &str,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(), AwsError> {
    let parameter = |message: String| AwsError::new("InvalidParameterException", message);
    let labelled = secret.labelled(stage).map(String::as_str);
    for named in [from, to].into_iter().flatten() {
        if !secret.versions.contains_key(named) {
            let message =
                format!("Secrets Manager can't find the specified secret version: {named}.");
            return Err(AwsError::new("ResourceNotFoundException", message));
        }
    }
    match (labelled, from, to) {
        (_, None, None) => {
            return Err(parameter(
                "You must name a version to move the staging label to or from.".into(),
            ));
        }
        (Some(at), None, Some(to)) if at != to => {
            return Err(parameter(format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is \
                 currently attached to version {at}, so you must explicitly reference that version \
                 in RemoveFromVersionId."
            )));
        }
        (at, Some(from), _) if at != Some(from) => {
            return Err(parameter(format!(
                "The staging label {stage} isn't attached to version {from}."
            )));
        }
        (_, Some(_), None) if stage == CURRENT => {
            return Err(parameter(format!(
                "You can only move the staging label {CURRENT} to a different secret version."
            )));
        }
        _ => {}
    }
    secret.move_stage(stage, to);
    secret
        .versions
        .retain(|_, version| !version.stages.is_empty());
    Ok(())
}

fn invalid(message: &str) -> AwsError {
    AwsError::new("InvalidRequestException", message)
}
