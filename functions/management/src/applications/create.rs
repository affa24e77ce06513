//! Creates a key and shows its secret, once (CYB-2, CYB-3).

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::IntoResponse,
};
use domain::{
    allowlist::Allowlist,
    error::{Error, FieldError},
    key::{Key, State as KeyState},
    organization::Name,
    secret::{PlainSecret, Secret},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use web::{dialect::Management, extract};

use super::{Application, Family};
use crate::api::{Api, Caller};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    name: String,
    #[serde(default)]
    bank_guid: Option<Value>,
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    ip_allowlist: Option<Vec<String>>,
    #[serde(default)]
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct Response<'a> {
    #[serde(flatten)]
    application: Application,
    /// Shown here and never again.
    secret: &'a str,
}

pub(super) async fn create<F: Family>(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<impl IntoResponse, Management> {
    caller.require(&[F::EXECUTE])?;
    let (parts, body) = request.into_parts();
    let body: Body = extract::json(&parts.headers, body).await?;
    let (name, ip_allowlist, expires_at) = parse(&body)?;
    let owner = F::owner(&api, &caller, body.bank_guid.as_ref()).await?;
    let conferring = api.conferring_key(&caller).await?;
    let conferrer = caller.conferrer(&conferring);
    let now = api.now();
    conferrer.allowlist(&ip_allowlist)?;
    let key = Key {
        client_id: api.entropy.client_id(),
        owner,
        organization: caller.organization,
        kind: caller.kind,
        name,
        scopes: conferrer.scopes(&api.catalogue, owner.holder(), body.scopes.as_deref())?,
        ip_allowlist,
        state: KeyState::Active,
        expires_at: conferrer.expiry(expires_at, now)?,
        created_at: now,
        updated_at: now,
        version: 0,
    };
    let plain = PlainSecret::mint(&api.brand, key.kind, key.client_id, &api.entropy.secret());
    let hash = plain.hash(&*api.peppers.peppers().await?).map_err(|_| Error::internal())?;
    let secret = Secret { id: api.entropy.secret_id(), hash, created_at: now, expires_at: None };
    api.store.on_behalf_of(&conferring).create_key(&key, &secret, &caller.origin()).await?;
    let response = Json(Response { application: Application::from(&key), secret: &plain.expose() }).into_response();
    Ok((StatusCode::CREATED, [("cache-control", "no-store")], response))
}

/// Reads the members that can be wrong by themselves, and says of all of them at once what is wrong.
fn parse(body: &Body) -> Result<(Name, Allowlist, Option<Timestamp>), Error> {
    let mut refused = Vec::new();
    let name = Name::parse(&body.name).map_err(|reason| refused.push(FieldError { field: "name".into(), reason: reason.into() }));
    let list =
        Allowlist::parse(body.ip_allowlist.as_deref().unwrap_or_default()).map_err(|mut entries| refused.append(&mut entries));
    let expiry = body.expires_at.as_deref().map(Timestamp::parse).transpose();
    let expiry = expiry.map_err(|reason| refused.push(FieldError { field: "expires_at".into(), reason: reason.into() }));
    match (name, list, expiry) {
        (Ok(name), Ok(list), Ok(expiry)) => Ok((name, list, expiry)),
        _ => Err(Error::fields(refused)),
    }
}
