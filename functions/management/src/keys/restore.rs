//! Lets a deactivated key, and those of its tokens that still live, work again.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    audit::Action,
    error::{Error, Kind},
    key::Key,
};
use web::{dialect::Management, extract::Id};

use super::{Response, find, require_nothing, write};
use crate::api::{Api, Caller};

pub(crate) async fn restore(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    require_nothing(&caller, request).await?;
    let key = find(&api, &caller, &text).await?;
    caller.require(&[write(key.owner)])?;
    if key.client_id == caller.client_id {
        return Err(Error::new(Kind::Forbidden, "A key does not restore itself").into());
    }
    // A token of a stopped key passes the authorizer for some seconds yet: it must bring neither itself nor a sibling back.
    let conferring = api.conferring_key(&caller).await?;
    let store = api.store.on_behalf_of(&conferring);
    let restore = |key: Key| {
        caller.conferrer(&conferring).allowlist(&key.ip_allowlist)?;
        key.restore(api.now())
    };
    let key = store.switch_key(key.client_id, Action::KeyRestore, &caller.origin(), restore).await?;
    Ok(Json(Response::new(&api, &key).await?))
}
