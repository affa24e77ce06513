//! What a caller is and holds at a moment, and what it may do with that
//! (docs/requirements.md, Roles).
//!
//! A [`CallerAuthority`] is made of a credential that works at that moment, and of nothing else
//! ([`CallerAuthority::of_key`]). It is asked in four ways: may it know of a key
//! ([`CallerAuthority::sees`]), does the table of operations let it
//! ([`CallerAuthority::permits`]), has it a say over the key's user
//! ([`CallerAuthority::require_say`]), and does it hold what it would hand on (`delegation`).
//! [`CallerAuthority::authorize`] asks all of them, and makes an [`Authorized`] key: the only value
//! by which a key changes.

mod access;
mod authorized;
mod creation;
mod delegation;
#[cfg(test)]
mod tests;

pub use self::{
    access::Target,
    authorized::Authorized,
    creation::{FoundOwner, KeyWanted, NewKey},
};
use crate::{
    allowlist::Allowlist,
    error::{Error, Kind},
    gate::Gates,
    ids::{ClientId, Guid, SecretId},
    key::{Key, NotWorking, ShownTo},
    key_mode::KeyMode,
    operation::{Operation, Reach},
    role::Role,
    scope::{Catalogue, ScopeSet},
    time::Timestamp,
    user::User,
};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A key: by one of its tokens or, a personal one, by itself.
    Key {
        /// The key.
        client_id: ClientId,
        /// The secret that obtained the token, or that was sent.
        secret: SecretId,
    },
    /// The person at the command line of the deployment, with AWS credentials of their own.
    Operator,
}

/// What was presented of a key.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The secret that obtained the token, or that was sent.
    pub secret: SecretId,
    /// What the token carries. A personal key is sent itself, and has what its user has.
    pub token: Option<TokenGrant<'a>>,
}

/// What a token carries of its key's authority.
#[derive(Clone, Copy, Debug)]
pub struct TokenGrant<'a> {
    /// Its scopes.
    pub scopes: &'a ScopeSet,
    /// The allowlist that is sealed into it.
    pub ip_allowlist: &'a Allowlist,
    /// Whether it acts for a customer (CYB-8).
    pub is_customer: bool,
}

/// How long what a caller makes may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// For ever.
    Open,
    /// As long as the credential itself.
    Until(Timestamp),
    /// The credential is a previous secret, whose end is still open: what it makes would outlive
    /// it, whatever end it has.
    Fleeting,
}

/// What a caller is and holds at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerAuthority {
    principal: Principal,
    organization: Guid,
    /// The bank to which it is confined (CYB-4).
    bank: Option<Guid>,
    /// The person who calls, as they are at that moment.
    user: Option<User>,
    kind: KeyMode,
    scopes: ScopeSet,
    ip_allowlist: Allowlist,
    life: Life,
    /// Whether it calls by a previous secret.
    by_previous_secret: bool,
    /// Who was shown the secret that it calls by, and is not its user: what this caller is shown
    /// they may be shown (LEAK-9).
    rests_on: ShownTo,
    is_customer: bool,
}

impl CallerAuthority {
    /// The authority of whoever presents a secret of `key`, or a token that it obtained.
    ///
    /// A machine has those of its token's scopes that its key holds; a person has what their role
    /// and scopes are now, whatever they were when the key was made (CBM-1).
    ///
    /// # Errors
    /// Why the secret or its key does not work at `now`.
    pub fn of_key(
        key: &Key,
        gates: &Gates,
        presented: &Presented<'_>,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Result<Self, NotWorking> {
        let term = key.works(presented.secret, gates, now)?;
        let user = key.owner.user().and_then(|_| gates.user.clone());
        let (scopes, ip_allowlist) = match (&user, presented.token) {
            (Some(user), _) => (user.scopes(catalogue, key.kind), key.ip_allowlist.clone()),
            (None, Some(token)) => (
                token.scopes.filter(|scope| key.scopes.has(scope.as_str())),
                token.ip_allowlist.clone(),
            ),
            // A machine's secret obtains tokens and is none.
            (None, None) => (ScopeSet::default(), key.ip_allowlist.clone()),
        };
        let life = match [key.expires_at, term.ends_at].into_iter().flatten().min() {
            _ if term.is_previous && term.ends_at.is_none() => Life::Fleeting,
            Some(end) => Life::Until(end),
            None => Life::Open,
        };
        Ok(Self {
            principal: Principal::Key {
                client_id: key.client_id,
                secret: presented.secret,
            },
            organization: key.organization,
            bank: key.owner.bank(),
            user,
            kind: key.kind,
            scopes,
            ip_allowlist,
            life,
            by_previous_secret: term.is_previous,
            rests_on: match key.owner.user() {
                Some(_) => key.secrets.shown_to(presented.secret),
                None => ShownTo::NOBODY,
            },
            is_customer: presented.token.is_some_and(|token| token.is_customer),
        })
    }

    /// The operator's, over the keys of this organization and kind: everything.
    #[must_use]
    pub fn of_operator(organization: Guid, kind: KeyMode) -> Self {
        Self {
            principal: Principal::Operator,
            organization,
            bank: None,
            user: None,
            kind,
            scopes: ScopeSet::default(),
            ip_allowlist: Allowlist::default(),
            life: Life::Open,
            by_previous_secret: false,
            rests_on: ShownTo::NOBODY,
            is_customer: false,
        }
    }

    /// Who calls.
    #[must_use]
    pub const fn principal(&self) -> Principal {
        self.principal
    }

    /// The caller's organization.
    #[must_use]
    pub const fn organization(&self) -> Guid {
        self.organization
    }

    /// Sandbox or live: it reaches keys of its own kind.
    #[must_use]
    pub const fn kind(&self) -> KeyMode {
        self.kind
    }

    /// The person who calls, as they are now.
    #[must_use]
    pub const fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// The role of the person who calls.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.user.as_ref().map(|user| user.role)
    }

    /// Whether it is one of the platform's own people.
    #[must_use]
    pub fn is_staff(&self) -> bool {
        self.role().is_some_and(Role::is_staff)
    }

    const fn is_operator(&self) -> bool {
        matches!(self.principal, Principal::Operator)
    }

    /// Whether it calls by this key.
    #[must_use]
    pub fn is_key(&self, key: ClientId) -> bool {
        matches!(self.principal, Principal::Key { client_id, .. } if client_id == key)
    }

    /// Whether it may do what `before` could, no less and no more, so that a decision on `before`
    /// stands.
    #[must_use]
    pub fn may_what(&self, before: &Self) -> bool {
        let person = |authority: &Self| {
            let user = authority.user.as_ref()?;
            Some((user.guid, user.role, user.allowed_scopes.clone()))
        };
        person(self) == person(before)
            && Self {
                user: None,
                ..self.clone()
            } == Self {
                user: None,
                ..before.clone()
            }
    }

    /// How far an operation reaches for it (`operations.csv`).
    ///
    /// # Errors
    /// [`Kind::InsufficientScope`] that names the scopes, [`Kind::Forbidden`].
    pub fn reach(&self, operation: Operation) -> Result<Reach, Error> {
        if self.is_operator() {
            return Ok(Reach::All);
        }
        if self.is_customer {
            return Err(Error::new(
                Kind::Forbidden,
                "A customer's token is for the APIs that the platform guards",
            ));
        }
        operation.rule().reach(self.role(), &self.scopes)
    }

    /// Refuses what its operation does not reach at all.
    ///
    /// # Errors
    /// As [`CallerAuthority::reach`].
    pub fn require(&self, operation: Operation) -> Result<(), Error> {
        self.reach(operation).map(drop)
    }

    /// Refuses a person whom `allowed_scopes` leave less than these: of what no machine does, a
    /// role alone would decide, and whoever is narrowed would not be. Staff hold no scopes.
    ///
    /// # Errors
    /// [`Kind::InsufficientScope`].
    pub fn require_all(&self, scopes: &[&str]) -> Result<(), Error> {
        if self.is_operator()
            || self.is_staff()
            || scopes.iter().all(|scope| self.scopes.has(scope))
        {
            return Ok(());
        }
        Err(Error::new(
            Kind::InsufficientScope,
            format!("This needs the scope {}", scopes.join(" and the scope ")),
        ))
    }
}

/// What the caller of a management operation is told of a credential that does not work.
impl From<NotWorking> for Error {
    fn from(why: NotWorking) -> Self {
        match why {
            NotWorking::NoPersonalKeys => Self::plan_upgrade_required(),
            NotWorking::SecretEnded
            | NotWorking::MinterEnded(_)
            | NotWorking::AwaitsKyb
            | NotWorking::Deactivated
            | NotWorking::Expired
            | NotWorking::Revoked => Self::unauthenticated(),
        }
    }
}
