//! Gets one key by `client_id` or `guid` (CYB-3).

use axum::{Json, extract::State};
use domain::error::Error;
use web::{dialect::Management, extract::Id};

use super::{Application, Family, find};
use crate::api::{Api, Caller};

pub(super) async fn read<F: Family>(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
) -> Result<Json<Application>, Management> {
    caller.require(&[F::READ])?;
    let key = find::<F>(&api, &caller, &text).await?;
    if key.is_revoked() {
        return Err(Error::not_found().into());
    }
    Ok(Json(Application::from(&key)))
}
