//! KMS: keys that sign with P-256, keys that encrypt (so far by name only), and aliases for them.
//!
//! Differs from AWS: only `ECC_NIST_P256` signs, and nothing encrypts yet; key policies, grants and
//! tags are accepted and ignored; a signature over the same message is the same each time (RFC
//! 6979), where AWS draws a random one; keys are never disabled or deleted.

mod aliases;
pub(super) mod key;
mod keys;
mod signing;

use serde_json::Value;

pub(super) use self::{
    aliases::{CreateAlias, create as create_alias},
    keys::{CreateKey, generate},
};
use super::{
    aws_json::{AwsError, read},
    state::Api,
};

/// The operation's answer; `None` if there is no such operation here.
pub(super) fn answer(api: &Api, operation: &str, body: &[u8]) -> Option<Result<Value, AwsError>> {
    Some(match operation {
        "CreateAlias" => read(body).and_then(|request| aliases::create(api, &request)),
        "CreateKey" => read(body).and_then(|request| keys::create(api, request)),
        "DescribeKey" => read(body).and_then(|request| keys::describe(api, &request)),
        "GetKeyRotationStatus" => read(body).and_then(|request| keys::rotation(api, &request)),
        "GetPublicKey" => read(body).and_then(|request| keys::public_key(api, &request)),
        "ListAliases" => read(body).and_then(|request| aliases::list(api, &request)),
        "Sign" => read(body).and_then(|request| signing::sign(api, &request)),
        "Verify" => read(body).and_then(|request| signing::verify(api, &request)),
        _ => return None,
    })
}
