//! Changes a key (ARZ-4): what is left out stays, `null` clears. A changed list applies to tokens
//! issued from then on (CYB-6), to a personal key at once; an earlier end cuts tokens too.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    error::Error,
    key::{Edit, Key},
    operation::Operation,
    organization::Name,
    text::Note,
    time::Timestamp,
    webhook_url::WebhookUrl,
};
use serde::{Deserialize, de::IgnoredAny};
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, Conflict, KeyPath, NotFound, schema},
};

use super::{
    access::require_now, delegation::require_held_for, find, members::Reader, require_own_works,
    shape::Response, with_bulk_revocations,
};
use crate::api::{Api, Caller, CallerAuthority};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateKey)]
#[expect(
    clippy::option_option,
    reason = "left out, null and a value are three things"
)]
pub(crate) struct Body {
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, min_length = 1, max_length = 128)]
    name: Option<String>,
    #[serde(default, deserialize_with = "extract::nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 512)]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, value_type = Option<Vec<schema::AllowlistEntry>>, max_items = 3)]
    ip_allowlist: Option<Vec<String>>,
    /// Never, within the organization's policy, where it is null.
    #[serde(default, deserialize_with = "extract::nullable")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<String>>,
    /// Never of a live key.
    #[serde(default, deserialize_with = "extract::nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    destination: Option<Option<String>>,
    #[serde(default, deserialize_with = "extract::nullable")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    webhook_url: Option<Option<String>>,
    /// Accepted from a bank's token, and ignored (CYB-4).
    #[serde(default)]
    #[schema(value_type = Option<schema::Guid>)]
    bank_guid: Option<IgnoredAny>,
}

/// Changes a key.
#[utoipa::path(patch, path = "/api/keys/{client_id}", params(KeyPath), request_body = Body,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody, Conflict))]
pub(crate) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    let (parts, body) = request.into_parts();
    let body: Body = extract::json(&parts.headers, body).await?;
    let edit = read(&caller, &body)?;
    let key = find(&api, &caller, &text).await?;
    let authority = api.caller_authority(&caller).await?;
    require_now(
        &api,
        &caller,
        &authority,
        Operation::UpdateKey,
        (&key).into(),
    )
    .await?;
    let gates = api.store.gates(&key).await?;
    let latest_end = match edit.expires_at {
        Some(_) => latest_end(&api, &key).await?,
        None => None,
    };
    let update = |key| {
        let now = api.now();
        require_own_works(&caller, &key, now)?;
        let key = with_bulk_revocations(&gates, key, now);
        let edit = delegated(&authority, &key, edit.clone(), latest_end, now)?;
        require_held_for(&api, &caller, &authority, &gates, &key, &edit)?;
        key.edit(edit, now)
    };
    let store = api.store.on_behalf_of(&authority.behalf);
    let key = store
        .change_key(key.client_id, &caller.origin(), update)
        .await?;
    Ok(Json(Response::new(&api, &caller, &key, &gates)))
}

fn read(caller: &Caller, body: &Body) -> Result<Edit, Error> {
    let mut reader = Reader::default();
    if body.bank_guid.is_some() && caller.owner.bank().is_none() {
        reader.refuse(
            "bank_guid",
            "is not a member that this takes: a key belongs to its owner for life",
        );
    }
    let edit = Edit {
        name: reader.text("name", body.name.as_deref(), Name::parse),
        description: reader.nullable("description", body.description.as_ref(), Note::parse),
        ip_allowlist: reader.allowlist(body.ip_allowlist.as_deref()),
        expires_at: reader.nullable("expires_at", body.expires_at.as_ref(), Timestamp::parse),
        destination: reader.nullable("destination", body.destination.as_ref(), Name::parse),
        webhook_url: reader.nullable("webhook_url", body.webhook_url.as_ref(), WebhookUrl::parse),
    };
    reader.finish(Some(edit))
}

/// The latest end that the organization's policy leaves to this key (LEAK-10).
async fn latest_end(api: &Api, key: &Key) -> Result<Option<Timestamp>, Error> {
    let found = api
        .store
        .organization(key.organization)
        .await?
        .ok_or_else(Error::not_found)?;
    Ok(found.organization.latest_end(key.created_at))
}

/// The change, as far as the caller may delegate it.
fn delegated(
    authority: &CallerAuthority,
    key: &Key,
    edit: Edit,
    latest_end: Option<Timestamp>,
    now: Timestamp,
) -> Result<Edit, Error> {
    let delegator = authority.delegator();
    if let Some(list) = &edit.ip_allowlist {
        delegator.require_edited_allowlist(&key.ip_allowlist, list)?;
    }
    let expires_at = match edit.expires_at {
        // What is over gets no other end: the domain says so, whatever end is asked for.
        Some(end) if !key.is_revoked() && !key.is_expired(now) => {
            Some(delegator.edited_expiry(key.expires_at, end, latest_end, now)?)
        }
        end => end,
    };
    Ok(Edit { expires_at, ..edit })
}
