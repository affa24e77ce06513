//! Revokes a key (CBM-4): immediate and final. When this answers, every authorizer instance refuses the key and every token
//! issued from it within five seconds.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::error::Error;
use web::{dialect::Management, extract::Id};

use super::{Response, execute, find, require_nothing};
use crate::api::{Api, Caller};

pub(crate) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    require_nothing(&caller, request).await?;
    let key = find(&api, &caller, &text).await?;
    caller.require(&[execute(key.owner)])?;
    api.store.revoke_key(&key, &caller.origin()).await?;
    let key = api.store.key(key.client_id).await?.ok_or_else(Error::not_found)?;
    Ok(Json(Response::new(&api, &key).await?))
}
