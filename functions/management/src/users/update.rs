//! Changes a user's role or scopes, which takes effect for their personal keys on every instance
//! within five seconds (CBM-1).

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    audit::Action,
    error::{Error, Kind},
    ids::{ClientId, Guid},
    key::{Key, Owner},
    operation::Operation,
    role::Role,
    scope::{Catalogue, ScopeSet},
    user::User,
};
use serde::Deserialize;
use store::{KeyRow, StoreError};
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, Conflict, GuidPath, NotFound, schema},
};

use super::{Response, allowed_scopes, guid, require_no_bank_token, require_visible, role};
use crate::{
    api::{Api, Caller},
    keys::members::Reader,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateUser)]
#[expect(
    clippy::option_option,
    reason = "left out, null and a value are three things"
)]
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
///
/// A user is raised only while nobody who may less than they will was shown a secret of their
/// personal keys that works: whoever minted one would be raised with them. The user rotates such
/// keys with a `grace_period` of 0, or they are revoked, first.
#[utoipa::path(patch, path = "/api/users/{guid}", params(GuidPath), request_body = Body,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody, Conflict))]
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
    let authority = api.caller_authority(&caller).await?;
    authority.require(Operation::UpdateUser)?;
    let raise = Raise::foresee(&api, guid, &change).await?;
    let (origin, store, delegator) = (
        caller.origin(),
        api.store.on_behalf_of(&authority.behalf),
        authority.delegator(),
    );
    let user = store.change_user(guid, Action::UserUpdate, &origin, |user| {
        require_visible(&caller, &user)?;
        delegator.require_role(user.role)?;
        if user.is_disabled() {
            return Err(Error::new(
                Kind::Conflict,
                "The user is disabled and cannot be changed: make a new one",
            ));
        }
        let changed = change.of(user.clone());
        delegator.require_user(&api.catalogue, &changed)?;
        if changed.exceeds(&user, &api.catalogue) {
            raise.require_own_secrets(&user)?;
        }
        Ok(User {
            updated_at: api.now(),
            version: user.version + 1,
            ..changed
        })
    });
    Ok(Json(Response::from(&user.await?)))
}

/// Another role, other scopes; an inner nothing narrows no more.
#[expect(
    clippy::option_option,
    reason = "left out, null and a value are three things"
)]
struct Change {
    role: Option<Role>,
    allowed_scopes: Option<Option<ScopeSet>>,
}

impl Change {
    /// Reads the members that can be wrong by themselves, and says of all of them at once what is
    /// wrong.
    fn read(catalogue: &Catalogue, body: &Body) -> Result<Self, Error> {
        let mut reader = Reader::default();
        let role = reader.text("role", body.role.as_deref(), role);
        let scopes = body.allowed_scopes.as_ref();
        let allowed_scopes = scopes.map(|named| {
            named
                .as_deref()
                .map(|names| allowed_scopes(&mut reader, catalogue, names))
        });
        reader.finish(Some(Self {
            role,
            allowed_scopes,
        }))
    }

    fn of(&self, user: User) -> User {
        User {
            role: self.role.unwrap_or(user.role),
            allowed_scopes: self.allowed_scopes.clone().unwrap_or(user.allowed_scopes),
            ..user
        }
    }
}

/// What stands in the way of raising a user: personal keys of which somebody who may less was shown
/// a secret that works. A secret is handed to somebody else only together with a new version of the
/// user ([`store::Store::create_key_for`]): so what was found is all there is while the user has
/// the version that was read before.
struct Raise {
    /// Nothing where the change does not raise.
    version: Option<u64>,
    known: Vec<ClientId>,
}

impl Raise {
    /// How many keys are named.
    const NAMED: usize = 20;

    async fn foresee(api: &Api, guid: Guid, change: &Change) -> Result<Self, Error> {
        let user = api.store.user(guid).await?;
        let raised = user.filter(|user| change.of(user.clone()).exceeds(user, &api.catalogue));
        Ok(match raised {
            Some(user) => Self {
                version: Some(user.version),
                known: known_to_lesser(api, &change.of(user)).await?,
            },
            None => Self {
                version: None,
                known: Vec::new(),
            },
        })
    }

    fn require_own_secrets(&self, user: &User) -> Result<(), Error> {
        if self.version != Some(user.version) {
            return Err(StoreError::Changed.into());
        }
        if self.known.is_empty() {
            return Ok(());
        }
        let named: Vec<_> = self
            .known
            .iter()
            .take(Self::NAMED)
            .map(ToString::to_string)
            .collect();
        let message = format!(
            "Somebody who may less was shown a secret of this user's that works, of {}: let the \
             user rotate it with a grace_period of 0, or revoke it, before the user may do more",
            named.join(", ")
        );
        Err(Error::new(Kind::Conflict, message))
    }
}

/// The user's keys, of either kind, of which somebody who may less than `user` will was shown a
/// secret that works.
async fn known_to_lesser(api: &Api, user: &User) -> Result<Vec<ClientId>, Error> {
    let gate = api
        .store
        .organization(user.organization)
        .await?
        .ok_or_else(Error::not_found)?
        .gate;
    let rows = api.store.key_rows(user.organization).await?;
    let revoked = |row: &KeyRow| row.revoked || gate.revokes(row.owner, row.kind, row.created_at);
    let theirs = rows
        .iter()
        .filter(|row| row.owner == Owner::User(user.guid) && !revoked(row));
    let keys = api.store.keys(theirs.map(|row| row.client_id)).await?;
    let now = api.now();
    let works = |key: &&Key| !key.is_revoked() && !key.is_expired(now);
    let minters: BTreeSet<Guid> = keys
        .iter()
        .filter(works)
        .flat_map(|key| key.secrets.known_to(now))
        .collect();
    let minters = api.store.users(minters).await?;
    let gains = |minter: Guid| {
        let minter = minters
            .iter()
            .find(|user| user.guid == minter && !user.is_disabled());
        minter.is_none_or(|minter| user.exceeds(minter, &api.catalogue))
    };
    Ok(keys
        .iter()
        .filter(works)
        .filter(|key| key.secrets.known_to(now).any(gains))
        .map(|key| key.client_id)
        .collect())
}

#[cfg(test)]
mod tests {
    use domain::{
        time::Timestamp,
        user::{Email, UserState},
    };

    use super::*;

    /// Whatever changed the user after it was looked at may have handed somebody a secret of
    /// theirs.
    #[test]
    fn cbm_1_what_was_found_holds_for_the_version_that_was_read_before_alone() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let user = |version| User {
            guid: Guid::from_bytes([1; 16]),
            organization: Guid::from_bytes([2; 16]),
            email: Email::parse("ada@example.com").unwrap(),
            role: Role::Developer,
            allowed_scopes: None,
            state: UserState::Active,
            created_at: now,
            updated_at: now,
            version,
        };
        let told = |raise: &Raise, version| {
            raise
                .require_own_secrets(&user(version))
                .map_err(|error| error.message.into_owned())
        };
        let clear = Raise {
            version: Some(7),
            known: Vec::new(),
        };
        assert_eq!(told(&clear, 7), Ok(()));
        assert!(told(&clear, 8).unwrap_err().contains("at the same moment"));
        assert!(
            told(
                &Raise {
                    version: None,
                    ..clear
                },
                7
            )
            .is_err(),
            "it was no raise of who the user was"
        );
        let known = Raise {
            version: Some(7),
            known: vec![ClientId::of(Guid::from_bytes([3; 16])); 21],
        };
        let named = told(&known, 7).unwrap_err();
        assert_eq!(
            named.matches(&known.known[0].to_string()).count(),
            20,
            "{named}"
        );
    }
}
