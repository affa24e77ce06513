//! Revokes a key by DELETE (CYB-3): immediate, final, and the same however often it is sent.

use axum::{extract::State, http::StatusCode};
use web::{dialect::Management, extract::Id};

use super::{Family, find};
use crate::api::{Api, Caller};

pub(super) async fn delete<F: Family>(State(api): State<Api>, caller: Caller, Id(text): Id) -> Result<StatusCode, Management> {
    caller.require(&[F::EXECUTE])?;
    let key = find::<F>(&api, &caller, &text).await?;
    api.store.revoke_key(&key, &caller.origin()).await?;
    Ok(StatusCode::NO_CONTENT)
}
