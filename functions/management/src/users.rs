//! `/api/users`: the people of an organization (CBM-1, LEAK-9), in the shape of the vendor's
//! published client.

pub(crate) mod create;
pub(crate) mod disable;
mod impact;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod update;

use axum::http::Uri;
use domain::{
    error::{Error, Kind},
    ids::Guid,
    role::Role,
    scope::{Catalogue, Scope, ScopeSet},
    time::Timestamp,
    user::{Email, User, UserState},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{extract, openapi::schema};

use crate::{
    api::{Api, Caller},
    keys::members::Reader,
};

/// A person of an organization.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct Response {
    #[schema(value_type = schema::Guid)]
    guid: Guid,
    /// The email address, or the `guid` where that has more than 128 characters.
    #[schema(max_length = 128)]
    username: String,
    #[schema(max_length = 254)]
    email: String,
    #[schema(value_type = schema::Role)]
    role: Role,
    #[schema(value_type = schema::UserState)]
    state: UserState,
    /// What narrows the role's scopes; null when nothing does.
    #[schema(value_type = Option<Vec<schema::Scope>>, required)]
    allowed_scopes: Option<Vec<String>>,
    /// Where the person accepts, in the answer to the creation alone; null when the deployment has
    /// no portal.
    #[schema(required)]
    invite_url: Option<String>,
    #[schema(value_type = schema::Timestamp)]
    created_at: Timestamp,
    #[schema(value_type = schema::Timestamp)]
    updated_at: Timestamp,
}

/// What the vendor's clients take for a `username`, in characters.
const LONGEST_USERNAME: usize = 128;

impl Response {
    /// A user as it was just made.
    pub(crate) fn invited(api: &Api, user: &User) -> Self {
        let invite_url = api
            .portal_url
            .as_ref()
            .map(|portal| format!("{portal}/invitations/{}", user.guid));
        Self {
            invite_url,
            ..Self::from(user)
        }
    }
}

impl From<&User> for Response {
    fn from(user: &User) -> Self {
        let email = user.email.to_string();
        Self {
            guid: user.guid,
            username: if email.len() <= LONGEST_USERNAME {
                email.clone()
            } else {
                user.guid.to_string()
            },
            email,
            role: user.role,
            state: user.state,
            allowed_scopes: user
                .allowed_scopes
                .as_ref()
                .map(|scopes| scopes.iter().map(ToString::to_string).collect()),
            invite_url: None,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// A user to be stored.
pub(crate) fn new(
    api: &Api,
    organization: Guid,
    email: Email,
    role: Role,
    allowed_scopes: Option<ScopeSet>,
    now: Timestamp,
) -> User {
    User {
        guid: api.entropy.guid(),
        organization,
        email,
        role,
        allowed_scopes,
        state: UserState::Active,
        created_at: now,
        updated_at: now,
        narrowed: 0,
        version: 0,
    }
}

/// People are their organization's: a bank's token has nothing to do with them, whatever the
/// catalogue lets it hold.
fn require_no_bank_token(caller: &Caller) -> Result<(), Error> {
    match caller.owner.bank() {
        Some(_) => Err(Error::new(
            Kind::Forbidden,
            "A bank's token has nothing to do with users",
        )),
        None => Ok(()),
    }
}

/// Refuses a user of whom the caller may not know.
fn require_visible(caller: &Caller, user: &User) -> Result<(), Error> {
    if caller.sees_organization(user.organization) {
        Ok(())
    } else {
        Err(Error::not_found())
    }
}

/// Whether a change is only to tell what it would do.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DryRun {
    /// `true`: do nothing, and tell what would end.
    #[param(value_type = Option<bool>)]
    dry_run: Option<String>,
}

impl DryRun {
    fn read(uri: &Uri) -> Result<bool, Error> {
        let query: Self = extract::query(uri.query())?;
        match query.dry_run.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::field("dry_run", "must be true or false")),
        }
    }
}

fn guid(text: &str) -> Result<Guid, Error> {
    text.parse().map_err(|_| Error::not_found())
}

/// A role that members of an organization have.
fn role(text: &str) -> Result<Role, &'static str> {
    match text.parse::<Role>() {
        Ok(role) if role.is_staff() => Err("is a role of platform staff, whom the operator makes"),
        Ok(role) => Ok(role),
        Err(_) => Err("must be owner, admin, developer or viewer"),
    }
}

/// What narrows a user's role: scopes that there are, each once, at least one.
fn allowed_scopes(reader: &mut Reader, catalogue: &Catalogue, names: &[String]) -> ScopeSet {
    if names.is_empty() {
        reader.refuse(
            "allowed_scopes",
            "must name at least one scope; null leaves all those of the role",
        );
    }
    let mut scopes: Vec<Scope> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let refused = match name.parse::<Scope>() {
            Ok(scope) if scopes.contains(&scope) => "is a duplicate",
            Ok(scope) if catalogue.scopes().any(|known| *known == scope) => {
                scopes.push(scope);
                continue;
            }
            Ok(_) => "is not a scope of the catalogue",
            Err(reason) => reason,
        };
        reader.refuse(&format!("allowed_scopes[{index}]"), refused);
    }
    scopes.into_iter().collect()
}
