//! Gives a key another secret (CBM-3, ARZ-5, X-3, X-8): the old one works on for a while, 24 hours
//! unless something else is asked for. The `client_id` never changes.

use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
    response::IntoResponse,
};
use domain::{
    error::Error,
    key::{self, Grace, Key, Rotation},
    operation::Operation,
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::Value;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, Conflict, KeyPath, NotFound, schema},
};

use super::{
    access::{is_itself, require_now},
    delegation::require_held,
    find, require_own_works,
    shape::{Response, Secret},
    with_bulk_revocations,
};
use crate::api::{Api, Caller};

/// How long the old secret works on when nothing is said (CBM-3).
const DAY: Duration = Duration::from_hours(24);

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RotateKey)]
#[expect(
    clippy::option_option,
    reason = "left out, null and a value are three things"
)]
pub(crate) struct Body {
    /// Seconds that the old secret works on; null: until the rotation is finished. Where it is left
    /// out, 24 hours.
    #[serde(default, deserialize_with = "extract::nullable")]
    #[schema(value_type = Option<u64>, minimum = 0, maximum = 7_776_000, default = 86_400)]
    grace_period: Option<Option<Value>>,
    /// From when on those are counted: from now, or from the new secret's first use. While that is
    /// waited for, the old secret may replace the new one.
    #[serde(default, deserialize_with = "starts")]
    #[schema(nullable = false)]
    grace_starts: Option<Starts>,
    /// End the newest secret at once, because nobody has it, and leave an older one as it is.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false)]
    replace: Option<bool>,
    /// Accepted from a bank's token, and ignored (CYB-4).
    #[serde(default)]
    #[schema(value_type = Option<schema::Guid>)]
    bank_guid: Option<IgnoredAny>,
}

/// From when on a grace period is counted.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GraceStarts)]
enum Starts {
    Now,
    FirstUse,
}

fn starts<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Starts>, D::Error> {
    extract::word(deserializer).map(Some)
}

/// A key with another secret.
#[derive(Serialize, ToSchema)]
#[schema(as = RotatedKey)]
pub(crate) struct Rotated<'a> {
    #[serde(flatten)]
    key: Response,
    /// Shown once.
    secret: &'a str,
    /// The one before, and when it ends; null where none works on.
    #[schema(required)]
    previous_secret: Option<Secret>,
}

/// Gives a key another secret.
///
/// The old one works on for 24 hours, or for as long as is asked for. While an older secret still
/// works, finish that rotation first, or replace the newest one. An older secret does not rotate
/// its own key, but replaces a newest one that nobody has used where its grace waits for that.
/// Every credential rotates its own key, by a token with all the key's scopes.
#[utoipa::path(
    post,
    path = "/api/keys/{client_id}/rotate",
    params(KeyPath),
    request_body = Option<Body>,
    responses((status = 200, body = Rotated), CommonErrors, NotFound, BadBody, Conflict)
)]
pub(crate) async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<impl IntoResponse, Management> {
    let (parts, body) = request.into_parts();
    let body: Body = extract::optional_json(&parts.headers, body).await?;
    caller.require_no_bank(body.bank_guid.is_some(), "is not a member that this takes")?;
    let rotation = body.rotation()?;
    let key = find(&api, &caller, &text).await?;
    let authority = api.caller_authority(&caller).await?;
    caller.require(Operation::RotateKey)?;
    if !is_itself(&caller, Operation::RotateKey, &key) {
        require_now(
            &api,
            &caller,
            &authority,
            Operation::RotateKey,
            (&key).into(),
        )
        .await?;
    }
    let gates = api.store.gates(&key).await?;
    let (plain, secret) = api.mint(key.kind, key.client_id).await?;
    let rotate = |key: Key| {
        let now = api.now();
        require_own_works(&caller, &key, now)?;
        let key = with_bulk_revocations(&gates, key, now);
        if key.client_id == caller.client_id {
            key.require_rotatable_by(caller.sid, rotation)?;
        }
        require_held(&api, &caller, &authority, &gates, &key)?;
        let rotated = key.rotate(secret.id, rotation, now)?;
        Ok(key::Rotated {
            key: rotated.key.shown_to(caller.user()),
            ..rotated
        })
    };
    let (store, origin) = (api.store.on_behalf_of(&authority.behalf), caller.origin());
    let key = match gates
        .user
        .as_ref()
        .filter(|user| caller.user() != Some(user.guid))
    {
        Some(user) => {
            store
                .rotate_key_for(user, key.client_id, &secret, &origin, rotate)
                .await?
        }
        None => {
            store
                .rotate_key(key.client_id, &secret, &origin, rotate)
                .await?
        }
    };
    let previous_secret = key.secrets.working_previous(api.now()).map(Secret::from);
    let key = Response::new(&api, &caller, &key, &gates);
    let rotated = Rotated {
        key,
        secret: &plain.expose(),
        previous_secret,
    };
    Ok(([("cache-control", "no-store")], Json(rotated)).into_response())
}

impl Body {
    fn rotation(&self) -> Result<Rotation, Error> {
        let grace = self.grace()?;
        if self.replace != Some(true) {
            return Ok(Rotation::Keep(grace));
        }
        if self.grace_period.is_some() || self.grace_starts.is_some() {
            let reason =
                "ends the newest secret at once: send it without grace_period and grace_starts";
            return Err(Error::field("replace", reason));
        }
        Ok(Rotation::Replace)
    }

    fn grace(&self) -> Result<Grace, Error> {
        let from_first_use = self.grace_starts == Some(Starts::FirstUse);
        let from = if from_first_use {
            Grace::FromFirstUse
        } else {
            Grace::FromNow
        };
        match &self.grace_period {
            None => Ok(from(DAY)),
            Some(None) if from_first_use => Ok(Grace::OpenUntilUsed),
            Some(None) => Ok(Grace::Open),
            Some(Some(seconds)) => Ok(from(super::seconds(seconds, "or null for an open end")?)),
        }
    }
}
