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
    gate::Gates,
    ids::{ClientId, Guid, SecretId},
    key::{Key, Owner, ShownTo},
    operation::Operation,
    role::Role,
    scope::{Catalogue, ScopeSet},
    time::Timestamp,
    user::User,
};
use serde::{Deserialize, Serialize};
use store::{KeyRow, StoreError};
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, BadQuery, CommonErrors, Conflict, GuidPath, NotFound, schema},
};

use super::{
    DryRun, Response, allowed_scopes, guid, impact::Impact, require_no_bank_token, require_visible,
    role,
};
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

/// What the answer holds.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Updated {
    /// The user.
    User(Response),
    /// What it would do, with `dry_run=true`.
    Impact(Impact),
}

/// Changes a user's role or scopes.
///
/// A user is raised only while nobody who may less than they will was shown a secret of their
/// personal keys that works: whoever minted one would be raised with them. The user rotates such
/// keys with a `grace_period` of 0, by a key that nobody else was shown, or they are revoked,
/// first. Who loses a role or a scope also
/// loses the secrets of other people's keys that they were shown. With `dry_run=true` nothing is
/// done, and the answer tells what would end, and which keys of machines to rotate, since the user
/// knows a secret of theirs.
#[utoipa::path(
    patch,
    path = "/api/users/{guid}",
    params(GuidPath, DryRun),
    request_body = Body,
    responses(
        (status = 200, body = inline(Updated)),
        CommonErrors,
        NotFound,
        BadBody,
        BadQuery,
        Conflict
    )
)]
pub(crate) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Updated>, Management> {
    caller.require(Operation::UpdateUser)?;
    require_no_bank_token(&caller)?;
    let dry_run = DryRun::read(request.uri())?;
    let (parts, body) = request.into_parts();
    let change = Change::read(&api.catalogue, &extract::json(&parts.headers, body).await?)?;
    let guid = guid(&text)?;
    let snapshot = api.caller_snapshot(&caller).await?;
    let authority = snapshot.authority();
    authority.require(Operation::UpdateUser)?;
    let raise = Raise::foresee(&api, guid, &change).await?;
    let update = |user: User| {
        require_visible(&caller, &user)?;
        authority.require_role(user.role)?;
        if user.is_disabled() {
            return Err(Error::new(
                Kind::Conflict,
                "The user is disabled and cannot be changed: make a new one",
            ));
        }
        let changed = change.of(&user, &api.catalogue, api.now());
        authority.require_user(&api.catalogue, &changed)?;
        if changed.exceeds(&user, &api.catalogue) {
            authority.require_lasting()?;
            raise.require_own_secrets(&user)?;
        }
        Ok(changed)
    };
    if dry_run {
        let user = api.store.user(guid).await?.ok_or_else(Error::not_found)?;
        let after = update(user.clone())?;
        let impact = Impact::measure(&api, (authority, snapshot.gates()), &user, &after).await?;
        return Ok(Json(Updated::Impact(impact)));
    }
    let (origin, store) = (caller.origin(), api.store.on_behalf_of(&snapshot));
    let user = store
        .change_user(guid, Action::UserUpdate, &origin, update)
        .await?;
    Ok(Json(Updated::User(Response::from(&user))))
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

    fn of(&self, user: &User, catalogue: &Catalogue, now: Timestamp) -> User {
        let allowed_scopes = self.allowed_scopes.clone();
        user.clone().with_authority(
            self.role.unwrap_or(user.role),
            allowed_scopes.unwrap_or_else(|| user.allowed_scopes.clone()),
            catalogue,
            now,
        )
    }
}

/// What stands in the way of raising a user: personal keys of which somebody who may less was shown
/// a secret that works. A secret is handed to somebody else only together with a new version of the
/// user ([`store::Store::create_key`]): so what was found is all there is while the user has
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
        let changed = |user: &User| change.of(user, &api.catalogue, api.now());
        let raised = user.filter(|user| changed(user).exceeds(user, &api.catalogue));
        Ok(match raised {
            Some(user) => Self {
                version: Some(user.version),
                known: known_to_lesser(api, &changed(&user)).await?,
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
             user rotate it by a key that nobody else was shown, with a grace_period of 0, or \
             revoke it, before the user may do more",
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
    let minters: BTreeSet<Guid> = keys.iter().flat_map(Key::minters).collect();
    let gates = Gates {
        organization: gate,
        user: None,
        minters: api.store.users(minters).await?,
    };
    let gains = |key: &Key, secret: SecretId, shown_to: ShownTo| {
        let mut minters = shown_to.people().filter_map(|shown_to| {
            let mut minters = gates.minters.iter();
            minters.find(|minter| minter.guid == shown_to.user)
        });
        key.ended_by_minter(secret, &gates).is_none()
            && minters.any(|minter| user.exceeds(minter, &api.catalogue))
    };
    Ok(keys
        .iter()
        .filter(|key| !key.is_revoked() && !key.is_expired(now))
        .filter(|key| {
            let mut secrets = key.secrets.in_term(now);
            secrets.any(|(secret, shown_to)| gains(key, secret, shown_to))
        })
        .map(|key| key.client_id)
        .collect())
}

#[cfg(test)]
mod tests {
    use domain::user::{Email, UserState};

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
            narrowed: 0,
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
