//! Disables a user by DELETE (LEAK-9): their keys stop within five seconds, for good, however often
//! it is sent.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use domain::{audit::Action, error::Error, operation::Operation, user::User};
use web::{
    dialect::Management,
    extract::Id,
    openapi::{BadQuery, CommonErrors, Conflict, GuidPath, NotFound},
};

use super::{DryRun, guid, impact::Impact, require_no_bank_token, require_visible};
use crate::api::{Api, Caller};

/// Disables a user.
///
/// Their keys, and the secrets of other people's keys that they were shown, stop within five
/// seconds, for good. With `dry_run=true` nothing is done, and the answer tells what would end, and
/// which keys of machines to rotate, since the user knows a secret of theirs.
#[utoipa::path(
    delete,
    path = "/api/users/{guid}",
    params(GuidPath, DryRun),
    responses(
        (status = 200, body = Impact, description = "What it would do, with `dry_run=true`"),
        (status = 204),
        CommonErrors,
        NotFound,
        Conflict,
        BadQuery
    )
)]
pub(crate) async fn disable(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    uri: Uri,
) -> Result<Response, Management> {
    caller.require(Operation::DisableUser)?;
    require_no_bank_token(&caller)?;
    let (guid, dry_run) = (guid(&text)?, DryRun::read(&uri)?);
    let snapshot = api.caller_snapshot(&caller).await?;
    let authority = snapshot.authority();
    authority.require(Operation::DisableUser)?;
    let disable = |user: User| {
        require_visible(&caller, &user)?;
        // It delegates nothing, so that it takes the role alone: who may do it must not need all
        // that a suspect holds.
        authority.require_role(user.role)?;
        let disabled = user.clone().disable(api.now());
        Ok(disabled.unwrap_or(user))
    };
    if dry_run {
        let user = api.store.user(guid).await?.ok_or_else(Error::not_found)?;
        let after = disable(user.clone())?;
        let impact = Impact::measure(&api, (authority, snapshot.gates()), &user, &after).await?;
        return Ok(Json(impact).into_response());
    }
    let (origin, store) = (caller.origin(), api.store.on_behalf_of(&snapshot));
    store
        .change_user(guid, Action::UserDisable, &origin, disable)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
