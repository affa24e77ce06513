//! Changes a key's name or allowlist (CYB-3): omitted leaves unchanged, `[]` clears. A changed list applies to tokens issued
//! from then on; tokens in flight keep theirs (CYB-6).

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    allowlist::Allowlist,
    error::{Error, FieldError},
    key::{Owner, State as KeyState},
    organization::Name,
};
use serde::Deserialize;
use serde_json::Value;
use web::{
    dialect::Management,
    extract::{self, Id},
};

use super::{Application, Family, require_visible};
use crate::api::{Api, Caller};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default, deserialize_with = "extract::not_null")]
    name: Option<String>,
    #[serde(default, deserialize_with = "extract::not_null")]
    ip_allowlist: Option<Vec<String>>,
    /// Accepted from a bank's token, and ignored (CYB-4).
    #[serde(default)]
    bank_guid: Option<Value>,
}

pub(super) async fn update<F: Family>(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Application>, Management> {
    caller.require(&[F::WRITE])?;
    let (parts, body) = request.into_parts();
    let body: Body = extract::json(&parts.headers, body).await?;
    let (name, ip_allowlist) = parse(&caller, &body)?;
    let client_id = extract::client_id(&text)?;
    let conferring = api.conferring_key(&caller).await?;
    let (origin, store) = (caller.origin(), api.store.on_behalf_of(&conferring));
    let key = store.change_key(client_id, &origin, |key| {
        require_visible::<F>(&caller, &key)?;
        if key.is_revoked() {
            return Err(Error::not_found());
        }
        // Its own key is not checked beside the change, being what changes: its state is decided on, and its version guards it.
        if key.client_id == caller.client_id && key.state != KeyState::Active {
            return Err(Error::unauthenticated());
        }
        if let Some(list) = &ip_allowlist {
            caller.conferrer(&conferring).edited_allowlist(&key.ip_allowlist, list)?;
        }
        Ok(key.edit(name.clone(), ip_allowlist.clone(), api.now()))
    });
    Ok(Json(Application::from(&key.await?)))
}

fn parse(caller: &Caller, body: &Body) -> Result<(Option<Name>, Option<Allowlist>), Error> {
    let mut refused = Vec::new();
    if body.bank_guid.is_some() && matches!(caller.owner, Owner::Organization(_)) {
        refused.push(FieldError {
            field: "bank_guid".into(),
            reason: "cannot be changed: a key belongs to its bank for life".into(),
        });
    }
    let name = body.name.as_deref().map(Name::parse).transpose();
    let name = name.map_err(|reason| refused.push(FieldError { field: "name".into(), reason: reason.into() }));
    let list = body.ip_allowlist.as_deref().map(Allowlist::parse).transpose().map_err(|mut entries| refused.append(&mut entries));
    match (name, list) {
        (Ok(name), Ok(list)) if refused.is_empty() => Ok((name, list)),
        _ => Err(Error::fields(refused)),
    }
}
