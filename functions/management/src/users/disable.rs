//! Disables a user by DELETE (LEAK-9): their keys stop within five seconds, for good, however often
//! it is sent.

use axum::{extract::State, http::StatusCode};
use domain::{
    audit::Action,
    operation::Operation,
    user::{User, UserState},
};
use web::{
    dialect::Management,
    extract::Id,
    openapi::{CommonErrors, Conflict, GuidPath, NotFound},
};

use super::{guid, require_no_bank_token, require_visible};
use crate::api::{Api, Caller};

/// Disables a user.
#[utoipa::path(
    delete,
    path = "/api/users/{guid}",
    params(GuidPath),
    responses((status = 204), CommonErrors, NotFound, Conflict)
)]
pub(crate) async fn disable(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
) -> Result<StatusCode, Management> {
    caller.require(Operation::DisableUser)?;
    require_no_bank_token(&caller)?;
    let guid = guid(&text)?;
    let authority = api.caller_authority(&caller).await?;
    authority.require(Operation::DisableUser)?;
    let (origin, store) = (caller.origin(), api.store.on_behalf_of(&authority.behalf));
    let disabled = store.change_user(guid, Action::UserDisable, &origin, |user| {
        require_visible(&caller, &user)?;
        // It delegates nothing, so that it takes the role alone: who may do it must not need all
        // that a suspect holds.
        authority.delegator().require_role(user.role)?;
        if user.is_disabled() {
            return Ok(user);
        }
        Ok(User {
            state: UserState::Disabled,
            updated_at: api.now(),
            version: user.version + 1,
            ..user
        })
    });
    disabled.await?;
    Ok(StatusCode::NO_CONTENT)
}
