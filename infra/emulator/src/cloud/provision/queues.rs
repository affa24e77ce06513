//! `AWS::SQS::Queue`.

use sam::template::PhysicalResource;
use serde::{Deserialize, de::IgnoredAny};

use super::super::{Cloud, arn, error::CloudError, sqs};

/// Standard queues without redrive: what is not here is refused.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct QueueProperties {
    queue_name: Option<String>,
    visibility_timeout: Option<i64>,
    message_retention_period: Option<i64>,
    #[serde(rename = "KmsMasterKeyId")]
    _kms_key: Option<IgnoredAny>,
    #[serde(rename = "KmsDataKeyReusePeriodSeconds")]
    _kms_reuse: Option<IgnoredAny>,
    #[serde(rename = "Tags")]
    _tags: Option<IgnoredAny>,
}

pub(super) fn provision(
    cloud: &Cloud,
    logical_id: &str,
    wanted: QueueProperties,
) -> Result<PhysicalResource, CloudError> {
    let name = wanted.queue_name.unwrap_or_else(|| logical_id.to_owned());
    sqs::provide(
        &cloud.api,
        &name,
        wanted.visibility_timeout,
        wanted.message_retention_period,
    )?;
    let url = sqs::url(&cloud.api_address().to_string(), &name);
    let attributes = [
        ("Arn", arn::queue(&name)),
        ("QueueName", name),
        ("QueueUrl", url.clone()),
    ];
    Ok(PhysicalResource {
        attributes: attributes
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        reference: url,
    })
}
