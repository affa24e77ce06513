//! Makes a user: a person is invited, with a role and at most the scopes that whoever invites them
//! holds.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response as Answer},
};
use domain::{
    error::{Error, Kind},
    operation::Operation,
    role::Role,
    scope::{Catalogue, ScopeSet},
    user::Email,
};
use serde::Deserialize;
use store::{IdempotencyRecord, StoreError};
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract,
    openapi::{BadBody, CommonErrors, Conflict, IdempotencyKey, schema},
};

use super::{Response, allowed_scopes, require_no_bank_token, role};
use crate::{
    api::{Api, Caller},
    idempotent::{Failed, Request},
    keys::members::Reader,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateUser)]
struct Body {
    #[schema(
        max_length = 254,
        pattern = r"^[0-9A-Za-z_+-]+(\.[0-9A-Za-z_+-]+)*@([0-9A-Za-z]{1,63}\.)+[A-Za-z]{2,63}$"
    )]
    email: String,
    /// viewer, unless it says otherwise.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(
        nullable = false,
        pattern = "^(owner|admin|developer|viewer)$",
        default = "viewer"
    )]
    role: Option<String>,
    /// Narrows the role's scopes to some of these; null, or left out, leaves them all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<schema::Scope>>, min_items = 1)]
    allowed_scopes: Option<Vec<String>>,
}

/// Creates a user.
#[utoipa::path(
    post,
    path = "/api/users",
    params(IdempotencyKey),
    request_body = Body,
    responses(
        (
            status = 201,
            body = Response,
            headers(("Idempotency-Replayed" = String, description = "`true`: made before"))
        ),
        CommonErrors,
        BadBody,
        Conflict
    )
)]
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    request: axum::extract::Request,
) -> Result<Answer, Management> {
    caller.require(Operation::CreateUser)?;
    require_no_bank_token(&caller)?;
    let (parts, body) = request.into_parts();
    let (body, bytes): (Body, _) = extract::json_and_bytes(&parts.headers, body).await?;
    let (email, role, allowed_scopes) = read(&api.catalogue, &body)?;
    let snapshot = &api.caller_snapshot(&caller).await?;
    let authority = snapshot.authority();
    authority.require(Operation::CreateUser)?;
    let request = Request {
        caller: &caller,
        parts: &parts,
        body: &bytes,
    };
    let (api, caller) = (&api, &caller);
    let organization = caller.organization;
    let user = super::new(api, organization, email, role, allowed_scopes, api.now());
    let guid = user.guid;
    let create = |record: Option<IdempotencyRecord>| async move {
        authority.require_lasting()?;
        authority.require_user(&api.catalogue, &user)?;
        let created = api
            .store
            .on_behalf_of(snapshot)
            .create_user(&user, record.as_ref(), &caller.origin())
            .await;
        if created == Err(StoreError::Exists) {
            return Err(Failed::from(Error::new(
                Kind::Conflict,
                "The organization has a user of this email address already",
            )));
        }
        created?;
        Ok((StatusCode::CREATED, Json(Response::invited(api, &user))).into_response())
    };
    // As they are now.
    let again = |made: String| async move {
        let user = api.store.user(super::guid(&made)?).await?;
        Ok(Response::invited(api, &user.ok_or_else(Error::not_found)?))
    };
    Ok(api.create_once(request, guid, create, again).await?)
}

/// Reads the members that can be wrong by themselves, and says of all of them at once what is
/// wrong.
fn read(catalogue: &Catalogue, body: &Body) -> Result<(Email, Role, Option<ScopeSet>), Error> {
    let mut reader = Reader::default();
    let email = reader.text("email", Some(&body.email), Email::parse);
    let role = reader
        .text("role", body.role.as_deref(), role)
        .unwrap_or(Role::Viewer);
    let scopes = body
        .allowed_scopes
        .as_deref()
        .map(|names| allowed_scopes(&mut reader, catalogue, names));
    reader.finish(email.map(|email| (email, role, scopes)))
}
