//! Changes a key's name or allowlist (CYB-3): omitted leaves unchanged, `[]` clears. A changed list
//! applies to tokens issued from then on; tokens in flight keep theirs (CYB-6).

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{error::Error, key::Edit, organization::Name};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, KeyPath, NotFound, schema},
};

use super::{Family, OwnerKey, view_living};
use crate::{
    api::{Api, Caller},
    keys::members::Reader,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateApplication)]
pub(crate) struct Body {
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, min_length = 1, max_length = 128)]
    name: Option<String>,
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, value_type = Option<Vec<schema::AllowlistEntry>>, max_items = 3)]
    ip_allowlist: Option<Vec<String>>,
    /// Accepted from a bank's token, and ignored (CYB-4).
    #[serde(default)]
    #[schema(value_type = Option<schema::Guid>)]
    bank_guid: Option<Value>,
}

/// Changes a key's name or allowlist.
#[utoipa::path(patch, path = "/{client_id}", params(KeyPath), request_body = Body,
    responses((status = 200, body = OwnerKey), CommonErrors, NotFound, BadBody))]
pub(crate) async fn update<F: Family>(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<OwnerKey>, Management> {
    caller.require(F::UPDATE)?;
    let (parts, body) = request.into_parts();
    let body: Body = extract::json(&parts.headers, body).await?;
    let edit = read(&caller, &body)?;
    let view = view_living::<F>(&api, &caller, F::UPDATE, &text).await?;
    let key = api
        .store
        .change_key(&view, &caller.origin(), |key| {
            // Somebody else was quicker.
            if key.key().is_revoked() {
                return Err(Error::not_found());
            }
            key.edit(edit.clone(), None)
        })
        .await?;
    Ok(Json(OwnerKey::from(&key)))
}

fn read(caller: &Caller, body: &Body) -> Result<Edit, Error> {
    let mut reader = Reader::default();
    if body.bank_guid.is_some() && caller.owner.bank().is_none() {
        reader.refuse(
            "bank_guid",
            "cannot be changed: a key belongs to its owner for life",
        );
    }
    let name = reader.text("name", body.name.as_deref(), Name::parse);
    let ip_allowlist = reader.allowlist(body.ip_allowlist.as_deref());
    reader.finish(Some(Edit {
        name,
        ip_allowlist,
        ..Edit::default()
    }))
}
