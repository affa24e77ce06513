//! Gets one bank.

use axum::{Json, extract::State};
use domain::error::Error;
use web::{dialect::Management, extract::Id};

use super::{Response, guid, require_visible};
use crate::api::{Api, Caller};

pub(crate) async fn read(State(api): State<Api>, caller: Caller, Id(text): Id) -> Result<Json<Response>, Management> {
    caller.require(&["banks:read"])?;
    let bank = api.store.bank(guid(&text)?).await?.ok_or_else(Error::not_found)?;
    require_visible(&caller, &bank)?;
    Ok(Json(Response::from(&bank)))
}
