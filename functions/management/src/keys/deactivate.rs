//! Stops a key for now: it gets no token, and its live tokens are refused within five seconds, until it is restored.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{audit::Action, key::Key};
use web::{dialect::Management, extract::Id};

use super::{Response, find, require_nothing, write};
use crate::api::{Api, Caller};

pub(crate) async fn deactivate(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    require_nothing(&caller, request).await?;
    let key = find(&api, &caller, &text).await?;
    caller.require(&[write(key.owner)])?;
    let origin = caller.origin();
    let key = api.store.switch_key(key.client_id, Action::KeyDeactivate, &origin, |key: Key| key.deactivate(api.now())).await?;
    Ok(Json(Response::new(&api, &key).await?))
}
