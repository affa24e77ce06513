//! Creates a key and shows its secret, once (CYB-2, CYB-3).

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::IntoResponse,
};
use domain::{
    allowlist::Allowlist,
    error::Error,
    key::{Draft, Key},
    organization::Name,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract,
    openapi::{BadBody, CommonErrors, Conflict, IdempotencyKey, schema},
};

use super::{Family, OwnerKey};
use crate::{
    api::{Api, Caller, Outcome, replayed},
    keys::{
        access::{Target, require_now},
        create::made_before,
        members::Reader,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateApplication)]
pub(crate) struct Body {
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// Whose the key will be: required of everybody but a bank's token on the route of banks' keys,
    /// and refused on the other.
    #[serde(default)]
    #[schema(value_type = Option<schema::Guid>)]
    bank_guid: Option<Value>,
    /// Every default of such a key that the caller holds, where they are left out.
    #[serde(default)]
    #[schema(value_type = Option<Vec<schema::Scope>>, min_items = 1)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<schema::AllowlistEntry>>, max_items = 3)]
    ip_allowlist: Option<Vec<String>>,
    /// Never, within the organization's policy, where it is left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
}

/// A new key.
#[derive(Serialize, ToSchema)]
#[schema(as = NewApplication)]
pub(crate) struct Created<'a> {
    #[serde(flatten)]
    key: OwnerKey,
    /// Shown here and never again; not when the request is repeated.
    #[schema(required = false)]
    secret: &'a str,
}

/// Makes a key.
///
/// The secret is in this answer alone.
#[utoipa::path(
    post,
    path = "",
    params(IdempotencyKey),
    request_body = Body,
    responses(
        (
            status = 201,
            body = Created,
            headers((
                "Idempotency-Replayed" = String,
                description = "`true`: made before; without its secret"
            ))
        ),
        CommonErrors,
        BadBody,
        Conflict
    )
)]
pub(crate) async fn create<F: Family>(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<axum::response::Response, Management> {
    caller.require(F::CREATE)?;
    let (parts, body) = request.into_parts();
    let (body, bytes): (Body, _) = extract::json_and_bytes(&parts.headers, body).await?;
    let (name, ip_allowlist, expires_at) = read(&body)?;
    let owner = F::owner(&api, &caller, body.bank_guid.as_ref()).await?;
    let (organization, kind) = (caller.organization, caller.kind);
    let authority = api.caller_authority(&caller).await?;
    require_now(
        &api,
        &caller,
        &authority,
        F::CREATE,
        Target {
            organization,
            owner,
            kind,
        },
    )
    .await?;
    let client_id = api.entropy.client_id();
    let record = match api
        .check_idempotency(&caller, &parts, &bytes, client_id)
        .await?
    {
        Outcome::Created(record) => record,
        Outcome::Replayed(made) => return Ok(replay(&api, &caller, &made).await?),
    };
    let tenant = api
        .store
        .organization(organization)
        .await?
        .ok_or_else(Error::unauthenticated)?;
    let (plain, secret) = api.mint(kind, client_id).await?;
    // Past the window of every incident that would cover it (LEAK-8).
    let creation = tenant.gate.creation(owner, kind, secret.created_at);
    let delegator = authority.delegator();
    delegator.require_allowlist(&ip_allowlist)?;
    let scopes = delegator.scopes(&api.catalogue, F::HOLDER, body.scopes.as_deref())?;
    let expires_at = delegator.expiry(
        expires_at,
        tenant.organization.latest_end(creation),
        creation,
    )?;
    let (description, destination, webhook_url) = (None, None, None);
    let draft = Draft {
        owner,
        organization,
        kind,
        name,
        description,
        scopes,
        ip_allowlist,
        expires_at,
        destination,
        webhook_url,
    };
    let key = Key::create(draft, client_id, secret.id, creation)?;
    let store = api.store.on_behalf_of(&authority.behalf);
    let created = store
        .create_key(&key, &secret, record.as_ref(), &caller.origin())
        .await;
    if let Outcome::Replayed(made) = api.resolve(created, record).await? {
        return Ok(replay(&api, &caller, &made).await?);
    }
    let created = Created {
        key: OwnerKey::from(&key),
        secret: &plain.expose(),
    };
    Ok((
        StatusCode::CREATED,
        [("cache-control", "no-store")],
        Json(created),
    )
        .into_response())
}

/// What an earlier request of the same `Idempotency-Key` made, as it is now.
async fn replay(api: &Api, caller: &Caller, made: &str) -> Result<axum::response::Response, Error> {
    Ok(replayed(OwnerKey::from(
        &made_before(api, caller, made).await?,
    )))
}

fn read(body: &Body) -> Result<(Name, Allowlist, Option<Timestamp>), Error> {
    let mut reader = Reader::default();
    let name = reader.text("name", Some(&body.name), Name::parse);
    let ip_allowlist = reader
        .allowlist(body.ip_allowlist.as_deref())
        .unwrap_or_default();
    let expires_at = reader.text("expires_at", body.expires_at.as_deref(), Timestamp::parse);
    Ok((reader.finish(name)?, ip_allowlist, expires_at))
}
