//! `/api/keys`: every key, whatever its owner.

pub(crate) mod deactivate;
pub(crate) mod restore;
pub(crate) mod revoke;

use axum::extract::Request;
use domain::{
    error::Error,
    ids::{ClientId, Guid},
    key::{Effective, Key, Owner},
    kind::Kind,
    time::Timestamp,
};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    api::{Api, Caller},
    applications::may_see,
};

/// A key and what it is now.
#[derive(Serialize)]
pub(crate) struct Response {
    name: String,
    guid: Guid,
    client_id: ClientId,
    environment: Kind,
    state: Effective,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Response {
    async fn new(api: &Api, key: &Key) -> Result<Self, Error> {
        Ok(Self {
            name: key.name.to_string(),
            guid: key.client_id.guid(),
            client_id: key.client_id,
            environment: key.kind,
            state: key.effective(&api.store.gates(key).await?, api.now()),
            created_at: key.created_at,
            updated_at: key.updated_at,
        })
    }
}

/// The body of an operation that takes no members: what was meant by one would be lost.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {
    /// Accepted from a bank's token, and ignored (CYB-4).
    #[serde(default)]
    bank_guid: Option<IgnoredAny>,
}

/// Refuses a body that says anything.
async fn require_nothing(caller: &Caller, request: Request) -> Result<(), Error> {
    let (parts, body) = request.into_parts();
    let nothing: Nothing = web::extract::optional_json(&parts.headers, body).await?;
    caller.require_no_bank(nothing.bank_guid.is_some(), "is not a member that this takes")
}

/// The key that the path names, if the caller may know of it.
async fn find(api: &Api, caller: &Caller, text: &str) -> Result<Key, Error> {
    let key = api.store.key(web::extract::client_id(text)?).await?.ok_or_else(Error::not_found)?;
    if may_see(caller, key.organization, key.kind, key.owner) { Ok(key) } else { Err(Error::not_found()) }
}

/// The scope by which a caller executes on keys of this owner (CYB-11).
const fn execute(owner: Owner) -> &'static str {
    match owner {
        Owner::Bank(_) => "bank_applications:execute",
        Owner::Organization(_) => "organization_applications:execute",
    }
}

/// The scope by which a caller updates keys of this owner (CYB-11).
const fn write(owner: Owner) -> &'static str {
    match owner {
        Owner::Bank(_) => "bank_applications:write",
        Owner::Organization(_) => "organization_applications:write",
    }
}
