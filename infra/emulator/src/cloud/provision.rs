//! Makes the template's tables, keys and secrets, once: what is there already is left as it is,
//! across restarts.
//!
//! A property that would change behaviour and is not known here is refused rather than ignored.
//! Properties that have no effect locally are listed, by an underscore, in the property structs of
//! `tables`, `keys` and `secrets`.

mod generated;
mod keys;
mod queues;
mod secrets;
mod tables;

use sam::template::{Physical, PhysicalResource, ResourceKind, Template};
use serde::de::DeserializeOwned;
use serde_json::Value;

#[cfg(test)]
pub(super) use self::tables::client;
use super::{Cloud, error::CloudError};

/// Makes what the template says and does not exist yet, and answers with everything. Doing it again
/// changes nothing.
///
/// # Errors
/// One sentence that names the resource: see [`ensure`], or the template does not resolve.
pub async fn provision(cloud: &Cloud, template: &Template) -> Result<Physical, CloudError> {
    let unresolved = |e| CloudError::new(format!("the template: {e}"));
    let mut physical = Physical::new();
    for planned in template.resources().map_err(unresolved)? {
        let properties = template
            .properties(&planned.logical_id, &physical)
            .map_err(unresolved)?;
        let made = ensure(cloud, planned.kind, &planned.logical_id, &properties).await?;
        physical.insert(planned.logical_id, made);
    }
    Ok(physical)
}

/// Makes one resource of resolved properties unless it exists, and says what it is called.
///
/// `Ref` is a table's name, a key's id, an alias's name, a secret's ARN, a queue's URL. Attributes
/// are `Arn` and, with a stream, `StreamArn` of a table, `Arn` and `KeyId` of a key, `Id` of a
/// secret, `Arn`, `QueueName` and `QueueUrl` of a queue. An unnamed table, secret or queue is named
/// by its logical id.
///
/// # Errors
/// One sentence that names the resource: a property is not supported, or what exists already
/// contradicts the template.
pub async fn ensure(
    cloud: &Cloud,
    kind: ResourceKind,
    logical_id: &str,
    properties: &Value,
) -> Result<PhysicalResource, CloudError> {
    let made = match kind {
        ResourceKind::Table => match read(properties) {
            Ok(wanted) => tables::provision(&tables::client(cloud), logical_id, wanted).await,
            Err(e) => Err(e),
        },
        ResourceKind::Key => {
            read(properties).and_then(|wanted| keys::provision(&cloud.api, logical_id, wanted))
        }
        ResourceKind::Alias => {
            read(properties).and_then(|wanted| keys::provision_alias(&cloud.api, wanted))
        }
        ResourceKind::Queue => {
            read(properties).and_then(|wanted| queues::provision(cloud, logical_id, wanted))
        }
        ResourceKind::Secret => {
            read(properties).and_then(|wanted| secrets::provision(&cloud.api, logical_id, wanted))
        }
    };
    made.map_err(|e| CloudError::new(format!("resource {logical_id}: {e}")))
}

fn read<T: DeserializeOwned>(properties: &Value) -> Result<T, CloudError> {
    T::deserialize(properties).map_err(|e| CloudError::new(e.to_string()))
}
