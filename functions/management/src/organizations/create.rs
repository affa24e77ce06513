//! Creates an organization and, where their address is given, its first owner (CYB-1).
//!
//! These are two transactions, the first of which stands under the `Idempotency-Key`: a retry finds
//! the organization and makes the owner if that was not reached. The owner is known by the address,
//! and once made is not made again, whatever became of it.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response as Answer},
};
use domain::{
    error::Error,
    ids::Guid,
    operation::Operation,
    organization::{Name, Organization},
    role::Role,
    user::{Email, User},
};
use serde::{Deserialize, Serialize};
use store::{CallerSnapshot, IdempotencyRecord, StoreError};
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract,
    openapi::{BadBody, CommonErrors, Conflict, IdempotencyKey},
};

use super::Response;
use crate::{
    api::{Api, Caller},
    idempotent::{Failed, Request},
    keys::members::Reader,
    users,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateOrganization)]
struct Body {
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// The address of its first owner, who is made with it.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(
        nullable = false,
        max_length = 254,
        pattern = r"^[0-9A-Za-z_+-]+(\.[0-9A-Za-z_+-]+)*@([0-9A-Za-z]{1,63}\.)+[A-Za-z]{2,63}$"
    )]
    owner_email: Option<String>,
}

/// The organization, and the owner made with it.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedOrganization)]
pub(crate) struct Created {
    #[serde(flatten)]
    organization: Response,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    owner: Option<users::Response>,
}

/// Creates an organization.
///
/// Staff never see a secret: its first credential is made by the operator
/// (`latchkey key --organization`, or `--user` for its owner, whom `owner_email` makes), and makes
/// the first bank and keys.
#[utoipa::path(
    post,
    path = "/api/organizations",
    params(IdempotencyKey),
    request_body = Body,
    responses(
        (
            status = 201,
            body = Created,
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
    caller.require(Operation::CreateOrganization)?;
    let (parts, body) = request.into_parts();
    let (body, bytes): (Body, _) = extract::json_and_bytes(&parts.headers, body).await?;
    let (name, owner_email) = read(&body)?;
    let snapshot = &api.caller_snapshot(&caller).await?;
    let authority = snapshot.authority();
    authority.require(Operation::CreateOrganization)?;
    // With its owner, whom a repetition makes too.
    authority.require_lasting()?;
    let request = Request {
        caller: &caller,
        parts: &parts,
        body: &bytes,
    };
    let (api, caller) = (&api, &caller);
    let (now, guid) = (api.now(), api.entropy.guid());
    let organization = Organization {
        guid,
        name,
        max_key_age_days: None,
        created_at: now,
        updated_at: now,
        version: 0,
    };
    let owner_email = owner_email.as_ref();
    let shown = |made: Guid| async move {
        let owner = match owner_email {
            Some(email) => Some(owner(api, caller, snapshot, made, email.clone()).await?),
            None => None,
        };
        let made = api.store.organization(made).await?;
        Ok::<_, Error>(Created {
            organization: Response::of(&made.ok_or_else(Error::not_found)?, api.now()),
            owner: owner.map(|owner| users::Response::invited(api, &owner)),
        })
    };
    let create = |record: Option<IdempotencyRecord>| async move {
        api.store
            .on_behalf_of(snapshot)
            .create_organization(&organization, record.as_ref(), &caller.origin())
            .await?;
        Ok::<_, Failed>((StatusCode::CREATED, Json(shown(guid).await?)).into_response())
    };
    // Its owner is made by the repetition, where the first request did not come so far.
    let again =
        |made: String| async move { shown(made.parse().map_err(|_| Error::internal())?).await };
    Ok(api.create_once(request, guid, create, again).await?)
}

/// Reads the members that can be wrong by themselves, and says of all of them at once what is
/// wrong.
fn read(body: &Body) -> Result<(Name, Option<Email>), Error> {
    let mut reader = Reader::default();
    let name = reader.text("name", Some(&body.name), Name::parse);
    let email = reader.text("owner_email", body.owner_email.as_deref(), Email::parse);
    reader.finish(name.map(|name| (name, email)))
}

/// The organization's owner of this address: the one that stands, or a new one.
async fn owner(
    api: &Api,
    caller: &Caller,
    snapshot: &CallerSnapshot,
    organization: Guid,
    email: Email,
) -> Result<User, Error> {
    if let Some(made) = known(api, organization, &email).await? {
        return Ok(made);
    }
    let now = api.now();
    let user = users::new(api, organization, email.clone(), Role::Owner, None, now);
    match api
        .store
        .on_behalf_of(snapshot)
        .create_user(&user, None, &caller.origin())
        .await
    {
        Ok(()) => Ok(user),
        Err(StoreError::Exists) => known(api, organization, &email)
            .await?
            .ok_or_else(Error::temporarily_unavailable),
        Err(error) => Err(error.into()),
    }
}

/// The first user of this address that the organization ever had.
async fn known(api: &Api, organization: Guid, email: &Email) -> Result<Option<User>, Error> {
    let rows = api.store.user_rows(organization).await?;
    let users = api.store.users(rows.iter().map(|row| row.guid)).await?;
    Ok(users.into_iter().find(|user| user.email == *email))
}
