//! Gets one organization.

use axum::{
    Json,
    extract::{Path, State},
};
use web::dialect::Management;

use super::{Response, own};
use crate::api::{Api, Caller};

pub(crate) async fn read(State(api): State<Api>, caller: Caller, Path(text): Path<String>) -> Result<Json<Response>, Management> {
    caller.require(&["organizations:read"])?;
    let standing = own(&api, &caller, &text).await?;
    Ok(Json(Response::new(&standing.organization, standing.gate)))
}
