//! Revokes a key (CBM-4): immediate and final. When this answers, every authorizer instance refuses the key and every token
//! issued from it within five seconds.

use axum::{
    Json,
    extract::{Path, State},
};
use domain::{
    error::Error,
    ids::{ClientId, Guid},
    key::{Key, Owner},
    kind::Kind,
    time::Timestamp,
};
use serde::Serialize;
use web::{dialect::Management, extract};

use crate::{
    api::{Api, Caller},
    applications::may_see,
};

#[derive(Serialize)]
pub(crate) struct Response {
    name: String,
    guid: Guid,
    client_id: ClientId,
    environment: Kind,
    /// Always `revoked`.
    state: domain::key::Effective,
    created_at: Timestamp,
    updated_at: Timestamp,
}

pub(crate) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Json<Response>, Management> {
    let client_id = extract::client_id(&text)?;
    let key = api.store.key(client_id).await?.ok_or_else(Error::not_found)?;
    if !may_see(&caller, key.organization, key.kind, key.owner) {
        return Err(Error::not_found().into());
    }
    caller.require(&[match key.owner {
        Owner::Bank(_) => "bank_applications:execute",
        Owner::Organization(_) => "organization_applications:execute",
    }])?;
    api.store.revoke_key(&key, &caller.origin()).await?;
    let key = api.store.key(client_id).await?.ok_or_else(Error::not_found)?;
    Ok(Json(Response::from(&key)))
}

impl From<&Key> for Response {
    fn from(key: &Key) -> Self {
        Self {
            name: key.name.to_string(),
            guid: key.client_id.guid(),
            client_id: key.client_id,
            environment: key.kind,
            state: domain::key::Effective::Revoked,
            created_at: key.created_at,
            updated_at: key.updated_at,
        }
    }
}
