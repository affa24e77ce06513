//! Secrets Manager: secrets, their versions and the labels on them.
//!
//! Differs from AWS: values are not encrypted (on disk the file's mode protects them); a version
//! that lost its last label is gone at once, where AWS keeps about a hundred; tags, policies,
//! replication and deletion are not offered. A rotation is started (`RotateSecret`) and nothing
//! carried out: there is no schedule, and nobody here invokes the function.

mod rotation;
pub(super) mod secret;
mod values;

use serde_json::Value;

pub(super) use self::values::{CreateSecret, create};
use super::{
    aws_json::{AwsError, read},
    state::Api,
};

/// The operation's answer; `None` if there is no such operation here.
pub(super) fn answer(api: &Api, operation: &str, body: &[u8]) -> Option<Result<Value, AwsError>> {
    Some(match operation {
        "CreateSecret" => read(body).and_then(|request| values::create(api, request)),
        "DescribeSecret" => read(body).and_then(|request| values::describe(api, &request)),
        "GetSecretValue" => read(body).and_then(|request| values::value(api, &request)),
        "PutSecretValue" => read(body).and_then(|request| values::put(api, request)),
        _ => return rotation::answer(api, operation, body),
    })
}
