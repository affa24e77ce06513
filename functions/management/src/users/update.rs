//! Changes a user's role or scopes: felt by their personal keys on every instance within five seconds (CBM-1).

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    audit::Action,
    error::{Error, Kind},
    operation::Operation,
    role::Role,
    scope::{Catalogue, ScopeSet},
    user::User,
};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, Conflict, GuidPath, NotFound, Refused, schema},
};

use super::{Response, allowed_scopes, guid, require_no_bank_token, require_visible, role};
use crate::{
    api::{Api, Caller},
    keys::members::Reader,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateUser)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
struct Body {
    /// May be left out, not null.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, pattern = "^(owner|admin|developer|viewer)$")]
    role: Option<String>,
    /// Narrows the role's scopes to some of these; null leaves them all again.
    #[serde(default, deserialize_with = "extract::nullable")]
    #[schema(value_type = Option<Vec<schema::Scope>>, min_items = 1)]
    allowed_scopes: Option<Option<Vec<String>>>,
}

/// Changes a user's role or scopes.
#[utoipa::path(patch, path = "/api/users/{guid}", params(GuidPath), request_body = Body,
    responses((status = 200, body = Response), Refused, NotFound, BadBody, Conflict))]
pub(crate) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    caller.require(Operation::UpdateUser)?;
    require_no_bank_token(&caller)?;
    let (parts, body) = request.into_parts();
    let change = Change::read(&api.catalogue, &extract::json(&parts.headers, body).await?)?;
    let guid = guid(&text)?;
    let standing = api.standing(&caller).await?;
    standing.require(Operation::UpdateUser)?;
    let (origin, store, conferrer) = (caller.origin(), api.store.on_behalf_of(&standing.behalf), standing.conferrer());
    let user = store.change_user(guid, Action::UserUpdate, &origin, |user| {
        require_visible(&caller, &user)?;
        conferrer.covers(user.role)?;
        if user.is_disabled() {
            return Err(Error::new(Kind::Conflict, "The user is disabled and cannot be changed: make a new one"));
        }
        let user = change.of(user);
        conferrer.user(&api.catalogue, &user)?;
        Ok(User { updated_at: api.now(), version: user.version + 1, ..user })
    });
    Ok(Json(Response::from(&user.await?)))
}

/// Another role, other scopes; an inner nothing narrows no more.
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
struct Change {
    role: Option<Role>,
    allowed_scopes: Option<Option<ScopeSet>>,
}

impl Change {
    /// Reads the members that can be wrong by themselves, and says of all of them at once what is wrong.
    fn read(catalogue: &Catalogue, body: &Body) -> Result<Self, Error> {
        let mut reader = Reader::default();
        let role = reader.text("role", body.role.as_deref(), role);
        let scopes = body.allowed_scopes.as_ref();
        let allowed_scopes = scopes.map(|named| named.as_deref().map(|names| allowed_scopes(&mut reader, catalogue, names)));
        reader.finish(Some(Self { role, allowed_scopes }))
    }

    fn of(&self, user: User) -> User {
        User {
            role: self.role.unwrap_or(user.role),
            allowed_scopes: self.allowed_scopes.clone().unwrap_or(user.allowed_scopes),
            ..user
        }
    }
}
