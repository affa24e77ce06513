//! A caller delegates only what it holds (docs/requirements.md, Roles): scopes, addresses, users,
//! and for no longer than it lasts itself.

use super::{CallerAuthority, Life};
use crate::{
    allowlist::Allowlist,
    error::{Error, FieldError, Kind},
    gate::Gates,
    key::{Edit, Key},
    key_mode::KeyMode,
    role::Role,
    scope::{Catalogue, Grant, Holder, Scope, ScopeSet},
    time::Timestamp,
    user::User,
};

impl CallerAuthority {
    /// The scopes of a new key of `holder`: those asked for, or every default that the caller may
    /// delegate (CYB-11).
    ///
    /// # Errors
    /// [`Kind::InvalidParameter`] for a scope that no such key may hold,
    /// [`Kind::InsufficientScope`] for one that this caller cannot delegate.
    pub(super) fn scopes_for(
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
        if self.is_operator() {
            return Ok(());
        }
        let granted = catalogue.grant(holder, scope) == Some(Grant::Granted);
        if granted && !self.role().is_some_and(Role::delegates_granted) {
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
        let for_its_banks = self.user.is_none() && self.bank.is_none() && holder == Holder::Bank;
        for_its_banks || self.scopes.has(scope.as_str())
    }

    /// Requires that this caller holds every scope that `target` holds: what it takes to give that
    /// key anything back. Of its own key it does by a token with all the key's scopes. A personal
    /// key holds none; its user is another question
    /// ([`CallerAuthority::require_user`]).
    ///
    /// # Errors
    /// [`Kind::InsufficientScope`] when it holds less.
    pub(super) fn require_scopes_of(
        &self,
        catalogue: &Catalogue,
        target: &Key,
    ) -> Result<(), Error> {
        let Some(holder) = target.owner.holder() else {
            return Ok(());
        };
        let own = self.is_key(target.client_id);
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
    pub(super) fn require_held(
        &self,
        catalogue: &Catalogue,
        target: &Key,
        gates: &Gates,
    ) -> Result<(), Error> {
        self.require_scopes_of(catalogue, target)?;
        self.require_allowlist(&target.ip_allowlist)?;
        if !self.is_key(target.client_id) {
            self.require_end()?;
            if self.outlives(target.expires_at) {
                let message = "This key would outlive the caller's own credential, which neither \
                               gets a secret of it nor restores it";
                return Err(Error::new(Kind::Forbidden, message));
            }
        }
        self.require_user_of(catalogue, target, gates)
    }

    /// Requires that this caller holds the scopes that `target` holds, and of somebody else's
    /// personal key what its user does.
    pub(super) fn require_scopes_and_user_of(
        &self,
        catalogue: &Catalogue,
        target: &Key,
        gates: &Gates,
    ) -> Result<(), Error> {
        self.require_scopes_of(catalogue, target)?;
        self.require_user_of(catalogue, target, gates)
    }

    /// A personal key holds what its user does. Machines got no further than its access rule.
    fn require_user_of(
        &self,
        catalogue: &Catalogue,
        target: &Key,
        gates: &Gates,
    ) -> Result<(), Error> {
        if target.owner.user().is_none() || self.is_own(target.owner) || self.is_operator() {
            return Ok(());
        }
        let user = gates.user.as_ref().ok_or_else(Error::not_found)?;
        self.require_user(catalogue, user)
    }

    fn outlives(&self, end: Option<Timestamp>) -> bool {
        match self.life {
            Life::Open => false,
            Life::Until(own) => end.is_none_or(|end| end > own),
            Life::Fleeting => true,
        }
    }

    /// Refuses a previous secret whose end is open: of what it makes, nothing lasts no longer.
    ///
    /// # Errors
    /// [`Kind::Forbidden`].
    pub fn require_end(&self) -> Result<(), Error> {
        match self.life {
            Life::Open | Life::Until(_) => Ok(()),
            Life::Fleeting => Err(fleeting()),
        }
    }

    /// Refuses a previous secret, whatever its end: authority that has no end of its own, as a user
    /// has none, would outlive it.
    ///
    /// # Errors
    /// [`Kind::Forbidden`].
    pub fn require_lasting(&self) -> Result<(), Error> {
        if self.by_previous_secret {
            Err(fleeting())
        } else {
            Ok(())
        }
    }

    /// Requires that this caller may make, change or act for somebody of this role: nobody of a
    /// higher one than their own. A machine does so to viewers and developers at most.
    ///
    /// # Errors
    /// [`Kind::Forbidden`].
    pub fn require_role(&self, role: Role) -> Result<(), Error> {
        if self.is_operator() || self.role().unwrap_or(Role::Developer).covers(role) {
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
        if self.is_operator() {
            return Ok(());
        }
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
    pub(super) fn expiry(
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
    pub(super) fn edited_expiry(
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
        match self.life {
            Life::Fleeting => Err(fleeting()),
            Life::Until(own) if self.outlives(end) => Err(Error::field(
                "expires_at",
                format!("must be {own} or earlier: a credential makes no key that outlives it"),
            )),
            Life::Open | Life::Until(_) => Ok(end),
        }
    }

    /// The edit, as far as the caller may delegate it.
    pub(super) fn delegated(
        &self,
        key: &Key,
        edit: Edit,
        latest_end: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Edit, Error> {
        if let Some(list) = &edit.ip_allowlist {
            self.require_edited_allowlist(&key.ip_allowlist, list)?;
        }
        let expires_at = match edit.expires_at {
            // What is over gets no other end: the key says so, whatever end is asked for.
            Some(end) if !key.is_revoked() && !key.is_expired(now) => {
                Some(self.edited_expiry(key.expires_at, end, latest_end, now)?)
            }
            end => end,
        };
        Ok(Edit { expires_at, ..edit })
    }

    /// Requires the allowlist of an edited key to be within the one that the caller's token
    /// carries, and within the key's own, since such a token widens none.
    ///
    /// # Errors
    /// [`Kind::Forbidden`] when it is wider than either.
    pub(super) fn require_edited_allowlist(
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
    pub(super) fn require_allowlist(&self, requested: &Allowlist) -> Result<(), Error> {
        if requested.is_within(&self.ip_allowlist) {
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

fn fleeting() -> Error {
    Error::new(
        Kind::Forbidden,
        "A previous secret makes nothing that outlives it: use the current one",
    )
}

fn insufficient(message: String) -> Error {
    Error::new(Kind::InsufficientScope, message)
}
