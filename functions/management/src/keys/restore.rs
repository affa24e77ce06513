//! Lets a deactivated key, and those of its tokens that still live, work again.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    audit::Action,
    error::{Error, Kind},
    gate::Gates,
    key::Key,
    operation::Operation,
    user::User,
};
use web::{
    dialect::Management,
    extract::Id,
    openapi::{BadBody, CommonErrors, Conflict, KeyPath, NotFound},
};

use super::{
    Nothing, access::require_now, delegation::require_held, find, require_nothing, shape::Response,
    with_bulk_revocations,
};
use crate::api::{Api, Caller};

/// Lets a stopped key work again.
#[utoipa::path(
    post,
    path = "/api/keys/{client_id}/restore",
    params(KeyPath),
    request_body = Option<Nothing>,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody, Conflict)
)]
pub(crate) async fn restore(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    require_nothing(&caller, request).await?;
    let key = find(&api, &caller, &text).await?;
    if key.client_id == caller.client_id {
        return Err(Error::new(Kind::Forbidden, "A key does not restore itself").into());
    }
    // A token of a stopped key passes the authorizer for some seconds yet: it must bring neither
    // itself nor a sibling back.
    let authority = api.caller_authority(&caller).await?;
    require_now(
        &api,
        &caller,
        &authority,
        Operation::RestoreKey,
        (&key).into(),
    )
    .await?;
    let gates = api.store.gates(&key).await?;
    require_user_works(&gates)?;
    let restore = |key: Key| {
        require_held(&api, &caller, &authority, &gates, &key)?;
        with_bulk_revocations(&gates, key, api.now()).restore(api.now())
    };
    let store = api.store.on_behalf_of(&authority.behalf);
    let key = store
        .switch_key(key.client_id, Action::KeyRestore, &caller.origin(), restore)
        .await?;
    Ok(Json(Response::new(&api, &caller, &key, &gates)))
}

/// A disabled user's keys stay stopped, whatever their own states: a key restored now would only
/// look as if it worked.
fn require_user_works(gates: &Gates) -> Result<(), Error> {
    if gates.user.as_ref().is_some_and(User::is_disabled) {
        Err(Error::new(
            Kind::Conflict,
            "The key's user is disabled: the key stays deactivated and cannot become active",
        ))
    } else {
        Ok(())
    }
}
