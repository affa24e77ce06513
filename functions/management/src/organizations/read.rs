//! Gets one organization.

use axum::{Json, extract::State};
use web::{dialect::Management, extract::Id};

use super::{Response, own};
use crate::api::{Api, Caller};

pub(crate) async fn read(State(api): State<Api>, caller: Caller, Id(text): Id) -> Result<Json<Response>, Management> {
    caller.require(&["organizations:read"])?;
    let standing = own(&api, &caller, &text).await?;
    Ok(Json(Response::new(&standing.organization, standing.gate)))
}
