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
    key::{Grace, Rotation},
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

use super::shape::{Response, Secret};
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
    /// From when on those are counted: from now, or from the new secret's first use. After a leak
    /// send `grace_period` 0 instead: whoever has the old secret has it until then.
    #[serde(default, deserialize_with = "starts")]
    #[schema(nullable = false)]
    grace_starts: Option<Starts>,
    /// Whether the old secret may replace a new one that nobody has used, where `grace_starts` is
    /// `first_use`: for an unattended rotation, whose new secret may be lost on its way. Whoever
    /// has the old secret can then lock out whoever has the new one, so never after a leak.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, default = false)]
    replaceable: Option<bool>,
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
/// its own key, but replaces a newest one that nobody has used where the rotation said
/// `replaceable`. After a leak send `grace_period` 0. Every credential rotates its own key, by a
/// token with all the key's scopes.
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
    let view = api.view_key(&caller, Operation::RotateKey, &text).await?;
    // Before a secret is made for somebody who gets none.
    view.authorized(api.now())?;
    let (plain, secret) = api.mint(view.key().kind, view.key().client_id).await?;
    let key = api
        .store
        .rotate_key(&view, &secret, &caller.origin(), |key| {
            key.rotate(secret.id, rotation)
        })
        .await?;
    let mut secrets = Secret::of(view.caller(), &key, view.gates(), api.now());
    let previous_secret = (secrets.len() > 1).then(|| secrets.swap_remove(1));
    let key = Response::changed(&api, &view, &key);
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
        let replaceable = self.replaceable == Some(true);
        if self.replace == Some(true) {
            if self.grace_period.is_some() || self.grace_starts.is_some() || replaceable {
                let reason = "ends the newest secret at once: send it without grace_period, \
                              grace_starts and replaceable";
                return Err(Error::field("replace", reason));
            }
            return Ok(Rotation::Replace);
        }
        if !replaceable {
            return Ok(Rotation::Keep(grace));
        }
        if self.grace_starts != Some(Starts::FirstUse) {
            let reason = "is for a grace that starts at the first use: send grace_starts first_use";
            return Err(Error::field("replaceable", reason));
        }
        Ok(Rotation::KeepReplaceable(grace))
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
