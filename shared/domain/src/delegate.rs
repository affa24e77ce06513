//! A caller delegates only what it holds (docs/requirements.md, Roles).

use crate::{
    allowlist::Allowlist,
    error::{Error, FieldError, Kind},
    key::{Key, Owner},
    key_mode::KeyMode,
    role::Role,
    scope::{Catalogue, Grant, Holder, Scope, ScopeSet},
    time::Timestamp,
    user::User,
};

/// What a caller may delegate to the keys and users that it creates and edits.
#[derive(Clone, Debug)]
pub struct Delegator<'a> {
    /// The caller's key as it is now.
    pub key: &'a Key,
    /// The caller's role, of a person as it is now.
    pub role: Option<Role>,
    /// The scopes of the caller's token; of a person those that they hold now.
    pub scopes: &'a ScopeSet,
    /// The allowlist sealed into the caller's token; of a personal key its own.
    pub ip_allowlist: &'a Allowlist,
}

impl Delegator<'_> {
    /// The scopes of a new key of `holder`: those asked for, or every default that the caller may
    /// delegate (CYB-11).
    ///
    /// # Errors
    /// [`Kind::InvalidParameter`] for a scope that no such key may hold,
    /// [`Kind::InsufficientScope`] for one that this caller cannot delegate.
    pub fn scopes(
        &self,
        catalogue: &Catalogue,
        holder: Holder,
        requested: Option<&[String]>,
    ) -> Result<ScopeSet, Error> {
        let Some(requested) = requested else {
            let delegated: ScopeSet = catalogue
                .defaults(holder)
                .iter()
                .filter(|scope| self.may_delegate(holder, scope))
                .cloned()
                .collect();
            return if delegated.is_empty() {
                Err(insufficient(
                    "This token holds no scope that it could confer on such a key".into(),
                ))
            } else {
                Ok(delegated)
            };
        };
        let mut refused = Vec::new();
        let mut scopes = Vec::new();
        for (index, name) in requested.iter().enumerate() {
            match name
                .parse::<Scope>()
                .map(|scope| (catalogue.grant(holder, &scope), scope))
            {
                Ok((Some(_), scope)) if scopes.contains(&scope) => {
                    refused.push((index, "is a duplicate"));
                }
                Ok((Some(_), scope)) => scopes.push(scope),
                Ok((None, _)) => {
                    refused.push((index, "is not a scope that a key of this owner may hold"));
                }
                Err(reason) => refused.push((index, reason)),
            }
        }
        if requested.is_empty() {
            return Err(Error::field(
                "scopes",
                "must name at least one scope; leave it out for every default",
            ));
        }
        if !refused.is_empty() {
            let fields = refused.into_iter().map(|(index, reason)| FieldError {
                field: format!("scopes[{index}]"),
                reason: reason.into(),
            });
            return Err(Error::fields(fields.collect()));
        }
        for scope in &scopes {
            self.require_delegable(catalogue, holder, scope)?;
        }
        Ok(scopes.into_iter().collect())
    }

    fn require_delegable(
        &self,
        catalogue: &Catalogue,
        holder: Holder,
        scope: &Scope,
    ) -> Result<(), Error> {
        let granted = catalogue.grant(holder, scope) == Some(Grant::Granted);
        if granted && !self.role.is_some_and(Role::delegates_granted) {
            return Err(insufficient(format!(
                "Only owners, administrators and platform staff confer {scope}"
            )));
        }
        // An organization's machine gives keys of its banks the scopes that they hold by default,
        // and no granted scope (docs/requirements.md, Roles).
        let for_its_banks = !granted && self.may_delegate(holder, scope);
        if for_its_banks || self.scopes.has(scope.as_str()) {
            Ok(())
        } else {
            Err(insufficient(format!(
                "A caller confers only scopes that it holds, and this one does not hold {scope}"
            )))
        }
    }

    fn may_delegate(&self, holder: Holder, scope: &Scope) -> bool {
        let for_its_banks =
            matches!(self.key.owner, Owner::Organization(_)) && holder == Holder::Bank;
        for_its_banks || self.scopes.has(scope.as_str())
    }

    /// Requires that this caller holds every scope that `target` holds: what it takes to give that
    /// key anything back. Of its own key it does by a token with all the key's scopes. A personal
    /// key holds none; its user is another question ([`Delegator::require_user`]).
    ///
    /// # Errors
    /// [`Kind::InsufficientScope`] when it holds less.
    pub fn require_scopes_of(&self, catalogue: &Catalogue, target: &Key) -> Result<(), Error> {
        let Some(holder) = target.owner.holder() else {
            return Ok(());
        };
        let own = target.client_id == self.key.client_id;
        for scope in target
            .scopes
            .iter()
            .filter(|scope| !(own && self.scopes.has(scope.as_str())))
        {
            if own {
                let message = format!(
                    "A token rotates or widens its own key only with all its scopes, and it lacks \
                     {scope}"
                );
                return Err(insufficient(message));
            }
            self.require_delegable(catalogue, holder, scope)?;
        }
        Ok(())
    }

    /// Requires that this caller may be handed another secret of `target`, or bring it back: a
    /// credential with everything that the key holds, for as long as it lives. Its own key's secret
    /// delegates nothing new on a token that holds all of the key.
    ///
    /// # Errors
    /// [`Kind::InsufficientScope`] or [`Kind::Forbidden`] when it holds less.
    pub fn require_may_rotate(&self, catalogue: &Catalogue, target: &Key) -> Result<(), Error> {
        self.require_scopes_of(catalogue, target)?;
        self.require_allowlist(&target.ip_allowlist)?;
        if target.client_id != self.key.client_id && self.outlives(target.expires_at) {
            let message = "This key would outlive the caller's own, which neither gets a secret of \
                           it nor restores it";
            return Err(Error::new(Kind::Forbidden, message));
        }
        Ok(())
    }

    fn outlives(&self, end: Option<Timestamp>) -> bool {
        self.key
            .expires_at
            .is_some_and(|own| end.is_none_or(|end| end > own))
    }

    /// Requires that this caller may make, change or act for somebody of this role: nobody of a
    /// higher one than their own. A machine does so to viewers and developers at most.
    ///
    /// # Errors
    /// [`Kind::Forbidden`].
    pub fn require_role(&self, role: Role) -> Result<(), Error> {
        if self.role.unwrap_or(Role::Developer).covers(role) {
            Ok(())
        } else {
            Err(Error::new(
                Kind::Forbidden,
                format!("This caller has no say over the role {role}"),
            ))
        }
    }

    /// Requires that this caller may make or change a user into `user`, or get a credential that
    /// acts as this user: nobody delegates a higher role or more scopes than their own, in either
    /// environment. A machine makes viewers and developers at most.
    ///
    /// # Errors
    /// [`Kind::Forbidden`] for the role, [`Kind::InsufficientScope`] for a scope.
    pub fn require_user(&self, catalogue: &Catalogue, user: &User) -> Result<(), Error> {
        self.require_role(user.role)?;
        let holds = |scope: &Scope| {
            let of_banks = catalogue.grant(Holder::Bank, scope) == Some(Grant::Yes)
                && self.may_delegate(Holder::Bank, scope);
            of_banks || self.scopes.has(scope.as_str())
        };
        // Whoever is a user acts by keys of either kind.
        let either = user
            .scopes(catalogue, KeyMode::Sandbox)
            .union(&user.scopes(catalogue, KeyMode::Live));
        match either.iter().find(|scope| !holds(scope)) {
            None => Ok(()),
            Some(scope) => Err(insufficient(format!(
                "A caller confers only scopes that it holds, and this one does not hold {scope}; \
                 name fewer in allowed_scopes"
            ))),
        }
    }

    /// The end of a new key: no later than the caller's own and, where the organization has a
    /// policy for how old its keys grow (LEAK-10), no later than `latest`, which is also the end of
    /// a key that names none.
    ///
    /// # Errors
    /// [`Kind::InvalidParameter`] when it is past, or later than either.
    pub fn expiry(
        &self,
        requested: Option<Timestamp>,
        latest: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        self.within_own_life(within_policy(requested, latest, now)?)
    }

    /// The end of an edited key, so far `current`: as of a new one, but leaving it as it is or
    /// bringing it forward delegates nothing, however short the caller's own life is.
    ///
    /// # Errors
    /// [`Kind::InvalidParameter`] when it is past, later than the policy's, or later than both the
    /// current and the caller's.
    pub fn edited_expiry(
        &self,
        current: Option<Timestamp>,
        requested: Option<Timestamp>,
        latest: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        if requested == current {
            return Ok(current);
        }
        let end = within_policy(requested, latest, now)?;
        let earlier = end.is_some_and(|end| current.is_none_or(|current| end <= current));
        if earlier {
            Ok(end)
        } else {
            self.within_own_life(end)
        }
    }

    fn within_own_life(&self, end: Option<Timestamp>) -> Result<Option<Timestamp>, Error> {
        match self.key.expires_at {
            Some(own) if self.outlives(end) => Err(Error::field(
                "expires_at",
                format!("must be {own} or earlier: a key creates none that outlives it"),
            )),
            _ => Ok(end),
        }
    }

    /// Requires the allowlist of an edited key to be within the one that the caller's token
    /// carries, and within the key's own, since such a token widens none.
    ///
    /// # Errors
    /// [`Kind::Forbidden`] when it is wider than either.
    pub fn require_edited_allowlist(
        &self,
        own: &Allowlist,
        requested: &Allowlist,
    ) -> Result<(), Error> {
        self.require_allowlist(requested)?;
        if self.ip_allowlist.is_empty() || requested.is_within(own) {
            Ok(())
        } else {
            Err(Error::new(
                Kind::Forbidden,
                "The caller has an IP allowlist: it widens no key's list",
            ))
        }
    }

    /// Requires the allowlist of a new or edited key to be within the one that the caller's token
    /// carries.
    ///
    /// # Errors
    /// [`Kind::Forbidden`] when it is wider.
    pub fn require_allowlist(&self, requested: &Allowlist) -> Result<(), Error> {
        if requested.is_within(self.ip_allowlist) {
            Ok(())
        } else {
            let message = "The caller has an IP allowlist: it makes, edits, rotates and restores \
                           keys only with a list within its own";
            Err(Error::new(Kind::Forbidden, message))
        }
    }
}

fn within_policy(
    requested: Option<Timestamp>,
    latest: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    if requested.is_some_and(|end| end <= now) {
        return Err(Error::field("expires_at", "is not in the future"));
    }
    match requested.zip(latest) {
        Some((end, latest)) if end > latest => {
            let reason = format!(
                "must be {latest} or earlier by the organization's policy for the age of keys, not \
                 {end}"
            );
            Err(Error::field("expires_at", reason))
        }
        _ => Ok(requested.or(latest)),
    }
}

fn insufficient(message: String) -> Error {
    Error::new(Kind::InsufficientScope, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{ClientId, Guid, SecretId},
        key::Draft,
        organization::Name,
        user::{Email, UserState},
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn key(owner: Owner, kind: KeyMode) -> Key {
        let draft = Draft {
            owner,
            organization: Guid::from_bytes([1; 16]),
            kind,
            name: Name::parse("caller").unwrap(),
            description: None,
            scopes: ScopeSet::default(),
            ip_allowlist: Allowlist::default(),
            expires_at: None,
            destination: None,
            webhook_url: None,
        };
        Key::create(
            draft,
            ClientId::of(Guid::from_bytes([2; 16])),
            SecretId::from_bytes([3; 16]),
            NOW,
        )
        .unwrap()
    }

    fn user(role: Role, allowed: Option<&str>) -> User {
        User {
            guid: Guid::from_bytes([4; 16]),
            organization: Guid::from_bytes([1; 16]),
            email: Email::parse("ada@example.com").unwrap(),
            role,
            allowed_scopes: allowed.map(|scopes| scopes.parse().unwrap()),
            state: UserState::Active,
            created_at: NOW,
            updated_at: NOW,
            version: 0,
        }
    }

    /// What a caller with these scopes is told of making such a user.
    fn delegates(
        role: Option<Role>,
        kind: KeyMode,
        scopes: &ScopeSet,
        made: &User,
    ) -> Result<(), Kind> {
        let owner = match role {
            Some(_) => Owner::User(Guid::from_bytes([5; 16])),
            None => Owner::Organization(Guid::from_bytes([1; 16])),
        };
        let key = key(owner, kind);
        let delegator = Delegator {
            key: &key,
            role,
            scopes,
            ip_allowlist: &key.ip_allowlist,
        };
        delegator
            .require_user(&Catalogue::default(), made)
            .map_err(|error| error.kind)
    }

    #[test]
    fn nobody_confers_a_higher_role_than_their_own_and_a_machine_none_above_developer() {
        let all = Role::Owner.scopes(&Catalogue::default(), KeyMode::Live);
        for (by, made, expected) in [
            (Some(Role::Owner), Role::Owner, Ok(())),
            (Some(Role::Admin), Role::Admin, Ok(())),
            (Some(Role::Admin), Role::Owner, Err(Kind::Forbidden)),
            (None, Role::Developer, Ok(())),
            (None, Role::Admin, Err(Kind::Forbidden)),
            (Some(Role::Owner), Role::Support, Err(Kind::Forbidden)),
            (Some(Role::Operations), Role::Viewer, Err(Kind::Forbidden)),
        ] {
            assert_eq!(
                delegates(by, KeyMode::Live, &all, &user(made, None)),
                expected,
                "{by:?} makes {made}"
            );
        }
    }

    #[test]
    fn a_narrowed_caller_makes_users_as_narrow_whatever_key_either_acts_by() {
        let held: ScopeSet = "users:execute banks:read".parse().unwrap();
        let makes = |made: &User| delegates(Some(Role::Admin), KeyMode::Live, &held, made);
        assert_eq!(makes(&user(Role::Viewer, Some("banks:read"))), Ok(()));
        assert_eq!(
            makes(&user(Role::Viewer, None)),
            Err(Kind::InsufficientScope)
        );
        assert_eq!(
            makes(&user(Role::Viewer, Some("banks:read users:read"))),
            Err(Kind::InsufficientScope)
        );
        let reading = Role::Viewer.scopes(&Catalogue::default(), KeyMode::Live);
        assert_eq!(
            delegates(None, KeyMode::Live, &reading, &user(Role::Viewer, None)),
            Ok(())
        );
        let sandbox_only = user(Role::Developer, Some("organization_applications:execute"));
        assert_eq!(
            delegates(None, KeyMode::Live, &reading, &sandbox_only),
            Err(Kind::InsufficientScope)
        );
    }
}
