//! `/api/keys`: every key that the caller may see, whatever its owner.

pub(crate) mod create;
pub(crate) mod creation;
pub(crate) mod deactivate;
pub(crate) mod delete;
pub(crate) mod finish_rotation;
pub(crate) mod gate_cache;
pub(crate) mod list;
pub(crate) mod members;
pub(crate) mod read;
pub(crate) mod restore;
pub(crate) mod revoke;
pub(crate) mod rotate;
pub(crate) mod shape;
pub(crate) mod update;

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    routing::{get, post},
};
use domain::{error::Error, key::Grace};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use utoipa::ToSchema;
use web::{extract, openapi::schema};

use crate::api::{Api, Caller};

/// The routes of keys of any owner.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/keys", get(list::list).post(create::create))
        .route(
            "/api/keys/{client_id}",
            get(read::read).patch(update::update).delete(delete::delete),
        )
        .route("/api/keys/{client_id}/rotate", post(rotate::rotate))
        .route(
            "/api/keys/{client_id}/finish_rotation",
            post(finish_rotation::finish_rotation),
        )
        .route("/api/keys/{client_id}/revoke", post(revoke::revoke))
        .route(
            "/api/keys/{client_id}/deactivate",
            post(deactivate::deactivate),
        )
        .route("/api/keys/{client_id}/restore", post(restore::restore))
}

/// The body of an operation that takes no members: what was meant by one would be lost.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Nothing)]
pub(crate) struct Nothing {
    /// Accepted from a bank's token, and ignored (CYB-4).
    #[serde(default)]
    #[schema(value_type = Option<schema::Guid>)]
    bank_guid: Option<IgnoredAny>,
}

/// Refuses a body that says anything.
async fn require_nothing(caller: &Caller, request: Request) -> Result<(), Error> {
    let (parts, body) = request.into_parts();
    let nothing: Nothing = extract::optional_json(&parts.headers, body).await?;
    caller.require_no_bank(
        nothing.bank_guid.is_some(),
        "is not a member that this takes",
    )
}

/// A `grace_period`, and what else it might have been.
fn seconds(given: &Value, or: &str) -> Result<Duration, Error> {
    match given.as_u64().map(Duration::from_secs) {
        Some(grace) if grace <= Grace::LONGEST => Ok(grace),
        _ => {
            let longest = Grace::LONGEST.as_secs();
            Err(Error::field(
                "grace_period",
                format!("must be a whole number of seconds from 0 to {longest}, {or}"),
            ))
        }
    }
}
