//! Who may know of a key, and who may act on it: one rule for every operation, over the table of
//! roles and scopes (`operations.csv`). Visibility is checked before permission: a key that the
//! caller may not see is the same 404 as a key that does not exist.

use super::{Authorized, CallerAuthority};
use crate::{
    error::{Error, Kind},
    gate::Gates,
    ids::Guid,
    key::{Key, Owner},
    key_mode::KeyMode,
    operation::{Operation, Reach, Scopes},
    role::Role,
    scope::Catalogue,
    time::Timestamp,
    user::User,
};

/// What never changes about a key, and decides who sees it and what may be done with it; also of
/// one that is yet to be made.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The tenant.
    pub organization: Guid,
    /// Whose it is.
    pub owner: Owner,
    /// Sandbox or live.
    pub kind: KeyMode,
}

impl From<&Key> for Target {
    fn from(key: &Key) -> Self {
        Self {
            organization: key.organization,
            owner: key.owner,
            kind: key.kind,
        }
    }
}

/// What an operation does to the authority of a key, and so what it takes beside the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// It shows the key.
    Reads,
    /// It only stops something: nothing is handed on, and a credential of the other kind may.
    Stops,
    /// It hands out a secret, or lets the key work again: that takes all that the key holds.
    Gives,
    /// What it gives depends on the edit, which asks for itself ([`Authorized::edit`]).
    Edits,
}

impl Sort {
    const fn of(operation: Operation) -> Option<Self> {
        match operation {
            Operation::ReadKey
            | Operation::ReadBankApplication
            | Operation::ReadOrganizationApplication => Some(Self::Reads),
            Operation::DeleteKey
            | Operation::DeleteBankApplication
            | Operation::DeleteOrganizationApplication
            | Operation::RevokeKey
            | Operation::RevokeIncident
            | Operation::DeactivateKey
            | Operation::FinishRotation => Some(Self::Stops),
            Operation::RotateKey | Operation::RestoreKey => Some(Self::Gives),
            Operation::UpdateKey
            | Operation::UpdateBankApplication
            | Operation::UpdateOrganizationApplication => Some(Self::Edits),
            _ => None,
        }
    }
}

impl CallerAuthority {
    /// The key, for this operation of this caller: visible, permitted, the caller's own authority
    /// still standing and, where the operation hands something on, all of it held. It is made here
    /// alone, and a key changes by nothing else.
    ///
    /// # Errors
    /// The 404 of a key that the caller may not know of; [`Kind::Forbidden`],
    /// [`Kind::InsufficientScope`]; the 401 of a caller whose own key is this one and has stopped.
    pub fn authorize<'a>(
        &'a self,
        operation: Operation,
        catalogue: &'a Catalogue,
        key: Key,
        gates: &'a Gates,
        now: Timestamp,
    ) -> Result<Authorized<'a>, Error> {
        let target = Target::from(&key);
        if !self.sees(target) {
            return Err(Error::not_found());
        }
        let sort = Sort::of(operation).ok_or_else(Error::internal)?;
        self.require_may(operation, sort, catalogue, &key, gates)?;
        if let super::Principal::Key { client_id, secret } = self.principal
            && client_id == key.client_id
        {
            // It was read again, maybe, since the authority was.
            key.works(secret, gates, now)?;
        }
        let key = key.with_bulk_revocations(gates, now);
        if sort == Sort::Gives {
            self.require_held(catalogue, &key, gates)?;
        }
        Ok(Authorized::new(self, operation, catalogue, gates, key, now))
    }

    /// The table, the scopes and the say over the key's user; or, of the caller's own key, what
    /// every credential may do to itself (LEAK-11).
    fn require_may(
        &self,
        operation: Operation,
        sort: Sort,
        catalogue: &Catalogue,
        key: &Key,
        gates: &Gates,
    ) -> Result<(), Error> {
        let target = Target::from(key);
        let decided = self.permits(operation, target).and_then(|()| match sort {
            Sort::Reads => Ok(()),
            _ => self.require_say(target, gates.user.as_ref()),
        });
        let itself = operation.rule().itself && self.is_key(key.client_id) && !self.is_customer;
        match (decided, sort) {
            (Err(_), Sort::Stops) if itself => self.require_scopes_of(catalogue, key),
            // What the secret is given for it holds: [`CallerAuthority::require_held`] asks.
            (Err(_), Sort::Gives) if itself => Ok(()),
            (Ok(()), Sort::Gives | Sort::Edits) => self.require_kind(target.kind),
            (decided, _) => decided,
        }
    }

    /// People also see the other kind's personal keys, which this kind's credentials only stop.
    pub(super) fn require_kind(&self, kind: KeyMode) -> Result<(), Error> {
        if self.is_operator() || self.kind == kind {
            return Ok(());
        }
        let message = format!(
            "A {} credential only stops {kind} keys: use a {kind} one for this",
            self.kind
        );
        Err(Error::new(Kind::Forbidden, message))
    }

    /// Whether the caller may know of this organization and what it has: its own; staff any
    /// customer's, and the platform's own people security alone.
    #[must_use]
    pub fn sees_organization(&self, guid: Guid) -> bool {
        match self.role() {
            Some(role) if role.is_staff() => guid != Guid::PLATFORM || role == Role::Security,
            _ => guid == self.organization,
        }
    }

    /// Whether the caller may know of a key: of its organization and kind, a bank's token only of
    /// its bank's. People see the personal keys of their organization in either kind, so that they
    /// can stop what is theirs. Staff see both kinds.
    #[must_use]
    pub fn sees(&self, target: Target) -> bool {
        let Target {
            organization,
            owner,
            kind,
        } = target;
        if self.is_operator() {
            return true;
        }
        let of_its_kind =
            self.sees_organization(organization) && (self.is_staff() || kind == self.kind);
        if self.bank.is_some() {
            return owner.bank() == self.bank && of_its_kind;
        }
        let personal =
            self.user.is_some() && owner.user().is_some() && self.sees_organization(organization);
        of_its_kind || personal || self.is_own(owner)
    }

    /// Refuses what the table of operations and the caller's scopes do not let it do to such a key.
    /// One's own personal keys need no scope; every other key one that governs keys of its owner.
    ///
    /// # Errors
    /// [`Kind::InsufficientScope`] that names the scopes, [`Kind::Forbidden`].
    pub fn permits(&self, operation: Operation, target: Target) -> Result<(), Error> {
        let reach = self.reach(operation)?;
        if self.is_operator() {
            return Ok(());
        }
        let rule = operation.rule();
        if reach == Reach::Itself {
            // Whether this is that key is asked apart.
            return rule
                .reach_beyond_itself(self.role(), &self.scopes)
                .map(drop);
        }
        // Staff hold no scopes: the table alone says what they do.
        if self.is_own(target.owner) || self.is_staff() || rule.scopes == Scopes::People {
            return Ok(());
        }
        let opening = opening(operation, target.owner);
        if !opening.iter().any(|scope| self.scopes.has(scope)) {
            return Err(Error::new(
                Kind::InsufficientScope,
                format!("This needs the scope {}", opening.join(" or ")),
            ));
        }
        let reached = match reach {
            Reach::All => true,
            Reach::Sandbox => target.kind == KeyMode::Sandbox && target.owner.user().is_none(),
            Reach::Own | Reach::Itself => false,
        };
        if reached {
            return Ok(());
        }
        let message = format!(
            "A {} manages sandbox keys of the organization and its banks, and personal keys of its \
             own",
            self.role().map_or("caller", Role::name)
        );
        Err(Error::new(Kind::Forbidden, message))
    }

    /// Refuses to act on somebody else's personal key: every machine, and people who have no say
    /// over that user's role, as disabling the user takes. What a user who is disabled or gone left
    /// behind falls to whoever the table lets.
    ///
    /// # Errors
    /// [`Kind::Forbidden`].
    pub fn require_say(&self, target: Target, user: Option<&User>) -> Result<(), Error> {
        let others = target.owner.user().is_some() && !self.is_own(target.owner);
        if !others || self.is_operator() || self.is_staff() {
            return Ok(());
        }
        let Some(role) = self.role() else {
            return Err(Error::new(
                Kind::Forbidden,
                "Only people make, change and stop personal keys, by a personal key; a machine \
                 reads them",
            ));
        };
        let user =
            user.filter(|user| user.organization == target.organization && !user.is_disabled());
        let whose = user.map_or(Role::Viewer, |user| user.role);
        if role.covers(whose) {
            return Ok(());
        }
        let message = format!("The role {role} has no say over keys of the role {whose}");
        Err(Error::new(Kind::Forbidden, message))
    }

    /// Whether the caller manages such a key, so that it may know whom its secrets were shown.
    #[must_use]
    pub fn manages(&self, target: Target, user: Option<&User>) -> bool {
        self.permits(Operation::UpdateKey, target).is_ok() && self.require_say(target, user).is_ok()
    }

    /// Whether it is the person whose personal key this is.
    #[must_use]
    pub fn is_own(&self, owner: Owner) -> bool {
        let user = self.user.as_ref().map(|user| user.guid);
        user.is_some() && user == owner.user()
    }
}

/// The scopes of an operation that open it for keys of this owner (CYB-11): a bank's keys have a
/// family of scopes of their own; those of organizations and people share the other.
fn opening(operation: Operation, owner: Owner) -> Vec<&'static str> {
    let others: &[&str] = match owner {
        Owner::Bank(_) => &["organization_applications:"],
        Owner::Organization(_) | Owner::User(_) => &["bank_applications:", "banks:"],
    };
    match &operation.rule().scopes {
        Scopes::People => Vec::new(),
        Scopes::AnyOf(scopes) => scopes
            .iter()
            .copied()
            .filter(|scope| !others.iter().any(|other| scope.starts_with(other)))
            .collect(),
    }
}
