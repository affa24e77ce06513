//! What becomes of an authorised key.

use std::{fmt, time::Duration};

use super::CallerAuthority;
use crate::{
    error::{Error, Kind},
    gate::Gates,
    ids::{Guid, SecretId},
    key::{Edit, Key, Minter, Owner, Rotated, Rotation, ShownTo},
    operation::Operation,
    scope::Catalogue,
    time::Timestamp,
    user::User,
};

/// A key that a caller may do one operation to, at one moment.
///
/// Nothing else changes a key: the transitions of [`Key`] are this crate's own, and only
/// [`CallerAuthority::authorize`] makes one of these. So a handler that leaves the checks out does
/// not compile:
///
/// ```compile_fail,E0624
/// use domain::{error::Error, ids::SecretId, key::{Key, Rotated, Rotation}, time::Timestamp};
///
/// fn rotate(key: Key, new: SecretId, now: Timestamp) -> Result<Rotated, Error> {
///     key.rotate(new, Rotation::Replace, now)
/// }
/// ```
///
/// nor does one that makes the value for itself:
///
/// ```compile_fail,E0451
/// use domain::{authority::Authorized, key::Key};
///
/// fn authorized(key: Key) -> Authorized<'static> {
///     Authorized { key, ..unreachable!() }
/// }
/// ```
///
/// With the checks it does:
///
/// ```
/// use domain::{
///     authority::CallerAuthority, error::Error, gate::Gates, ids::SecretId,
///     key::{Key, Rotated, Rotation}, operation::Operation, scope::Catalogue, time::Timestamp,
/// };
///
/// fn rotate(
///     caller: &CallerAuthority,
///     (key, gates): (Key, &Gates),
///     new: SecretId,
///     catalogue: &Catalogue,
///     now: Timestamp,
/// ) -> Result<Rotated, Error> {
///     caller
///         .authorize(Operation::RotateKey, catalogue, key, gates, now)?
///         .rotate(new, Rotation::Replace)
/// }
/// ```
pub struct Authorized<'a> {
    caller: &'a CallerAuthority,
    operation: Operation,
    catalogue: &'a Catalogue,
    gates: &'a Gates,
    /// With the revocations of its organization's gate applied (LEAK-8).
    key: Key,
    now: Timestamp,
}

impl<'a> Authorized<'a> {
    pub(super) const fn new(
        caller: &'a CallerAuthority,
        operation: Operation,
        catalogue: &'a Catalogue,
        gates: &'a Gates,
        key: Key,
        now: Timestamp,
    ) -> Self {
        Self {
            caller,
            operation,
            catalogue,
            gates,
            key,
            now,
        }
    }

    /// The key, with the revocations of its organization's gate applied.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// The moment of the authorisation.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The user of a personal key, where its secret is about to be shown to somebody else: what
    /// the caller was found to be allowed to hold rests on what that user is.
    #[must_use]
    pub fn user_of_others(&self) -> Option<&'a User> {
        self.gates
            .user
            .as_ref()
            .filter(|_| !self.caller.is_own(self.key.owner))
    }

    /// The key with another secret, of which it remembers to whom it is shown (LEAK-9).
    ///
    /// # Errors
    /// [`Kind::Forbidden`] to a previous secret of the key, but where it may replace a new one that
    /// nobody has used; [`Kind::Conflict`] when the key is over, or a previous secret still works
    /// and would become a third.
    pub fn rotate(self, new: SecretId, rotation: Rotation) -> Result<Rotated, Error> {
        self.require(&[Operation::RotateKey])?;
        if let Some(own) = self.own_secret() {
            self.key.require_rotatable_by(own, rotation)?;
        }
        let people = self.caller.shows_to(self.key.owner)?;
        let rotated = self.key.rotate(new, rotation, self.now)?;
        Ok(Rotated {
            key: rotated.key.with_shown_to(people),
            ..rotated
        })
    }

    /// The key with its current secret alone, now or in a while; nothing when that is so already.
    ///
    /// # Errors
    /// [`Kind::Forbidden`] to the previous secret; [`Kind::Conflict`] when the key is revoked.
    pub fn finish_rotation(self, grace: Duration) -> Result<Option<Rotated>, Error> {
        self.require(&[Operation::FinishRotation])?;
        if let Some(own) = self.own_secret() {
            self.key.require_finishable_by(own)?;
        }
        self.key.finish_rotation(grace, self.now)
    }

    /// The key with these members changed, as far as the caller may hand that on. `latest_end` is
    /// the latest end that the organization's policy leaves to it (LEAK-10).
    ///
    /// # Errors
    /// What the key refuses ([`Edit`]); [`Kind::Forbidden`], [`Kind::InsufficientScope`] and
    /// [`Kind::InvalidParameter`] for an end or a list that the caller may not give.
    pub fn edit(self, edit: Edit, latest_end: Option<Timestamp>) -> Result<Key, Error> {
        self.require(&[
            Operation::UpdateKey,
            Operation::UpdateBankApplication,
            Operation::UpdateOrganizationApplication,
        ])?;
        let edit = self
            .caller
            .delegated(&self.key, edit, latest_end, self.now)?;
        if edit.leads_elsewhere(&self.key) {
            self.caller.require_lasting()?;
        }
        if edit.extends(&self.key) {
            self.caller
                .require_scopes_and_user_of(self.catalogue, &self.key, self.gates)?;
        }
        self.key.edit(edit, self.now)
    }

    /// The key stopped for now.
    ///
    /// # Errors
    /// [`Kind::Conflict`] that names both states, when it is not active.
    pub fn deactivate(self) -> Result<Key, Error> {
        self.require(&[Operation::DeactivateKey])?;
        self.key.deactivate(self.now)
    }

    /// The key working again.
    ///
    /// # Errors
    /// [`Kind::Conflict`] that names both states when it is not deactivated, and where its user is
    /// disabled: it would only look as if it worked; [`Kind::Forbidden`] to the key itself.
    pub fn restore(self) -> Result<Key, Error> {
        self.require(&[Operation::RestoreKey])?;
        if self.caller.is_key(self.key.client_id) {
            return Err(Error::new(Kind::Forbidden, "A key does not restore itself"));
        }
        if self.gates.user.as_ref().is_some_and(User::is_disabled) {
            return Err(Error::new(
                Kind::Conflict,
                "The key's user is disabled: the key stays deactivated and cannot become active",
            ));
        }
        self.key.restore(self.now)
    }

    /// The key revoked; nothing when it is already, by itself or with many others.
    ///
    /// # Errors
    /// None but that the authorisation is for another operation.
    pub fn revoke(self) -> Result<Option<Key>, Error> {
        self.require(&[
            Operation::RevokeKey,
            Operation::RevokeIncident,
            Operation::DeleteKey,
            Operation::DeleteBankApplication,
            Operation::DeleteOrganizationApplication,
        ])?;
        Ok(self.key.revoke(self.now))
    }

    /// The secret of this very key by which the caller calls.
    fn own_secret(&self) -> Option<SecretId> {
        match self.caller.principal {
            super::Principal::Key { client_id, secret } if client_id == self.key.client_id => {
                Some(secret)
            }
            _ => None,
        }
    }

    /// An authorisation is for its own operation alone.
    fn require(&self, operations: &[Operation]) -> Result<(), Error> {
        if operations.contains(&self.operation) {
            Ok(())
        } else {
            Err(Error::internal())
        }
    }
}

impl CallerAuthority {
    /// Whom a secret of a key of this owner is shown to that this caller asks for: the person, and
    /// how often they were narrowed by then; and whoever was shown the secret that they call by,
    /// since nobody can tell the two apart. The owner themselves are not counted. Of a machine, and
    /// of the operator, nobody is known.
    ///
    /// # Errors
    /// [`Kind::Forbidden`] where more people would be shown it than are remembered.
    pub(super) fn shows_to(&self, owner: Owner) -> Result<ShownTo, Error> {
        let own = self.user.as_ref().map(|user| Minter {
            user: user.guid,
            narrowed: user.narrowed,
        });
        let people = own.into_iter().chain(self.rests_on.people());
        let others = people.filter(|minter| owner.user() != Some(minter.user));
        ShownTo::of(others).ok_or_else(|| {
            Error::new(
                Kind::Forbidden,
                "Others were shown the secret of this call: use a key that was shown to nobody \
                 else",
            )
        })
    }

    /// The person who calls.
    #[must_use]
    pub fn person(&self) -> Option<Guid> {
        self.user.as_ref().map(|user| user.guid)
    }
}

impl fmt::Debug for Authorized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized")
            .field("operation", &self.operation)
            .field("key", &self.key.client_id)
            .finish_non_exhaustive()
    }
}
