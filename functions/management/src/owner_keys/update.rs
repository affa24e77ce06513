//! Changes a key's name or allowlist (CYB-3): omitted leaves unchanged, `[]` clears. A changed list
//! applies to tokens issued from then on; tokens in flight keep theirs (CYB-6).

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    error::Error,
    key::{Edit, Key},
    organization::Name,
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, KeyPath, NotFound, schema},
};

use super::{Family, OwnerKey, find_living};
use crate::{
    api::{Api, Caller},
    keys::{access::require_now, members::Reader, require_own_works},
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
    let key = find_living::<F>(&api, &caller, &text).await?;
    let authority = api.caller_authority(&caller).await?;
    require_now(&api, &caller, &authority, F::UPDATE, (&key).into()).await?;
    let update = |key: Key| {
        let now = api.now();
        if key.is_revoked() {
            return Err(Error::not_found());
        }
        require_own_works(&caller, &key, now)?;
        if let Some(list) = &edit.ip_allowlist {
            authority
                .delegator()
                .require_edited_allowlist(&key.ip_allowlist, list)?;
        }
        if edit.extends(&key) {
            authority
                .delegator()
                .require_scopes_of(&api.catalogue, &key)?;
        }
        key.edit(edit.clone(), now)
    };
    let store = api.store.on_behalf_of(&authority.behalf);
    let key = store
        .change_key(key.client_id, &caller.origin(), update)
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
