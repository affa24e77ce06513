//! New keys: whose they may be, and what they hold.

use super::{CallerAuthority, Target};
use crate::{
    allowlist::Allowlist,
    error::{Error, Kind},
    ids::{ClientId, SecretId},
    key::{Draft, Key, Owner},
    operation::Operation,
    organization::{Bank, Name, OrganizationWithGate},
    scope::{Catalogue, ScopeSet},
    text::Note,
    time::Timestamp,
    user::User,
    webhook_url::WebhookUrl,
};

/// What a key is asked to be, each member acceptable by itself.
#[derive(Clone, Debug)]
pub struct KeyWanted {
    /// Whose it will be.
    pub owner: Owner,
    /// What people call it.
    pub name: Name,
    /// What people note about it.
    pub description: Option<Note>,
    /// Its scopes by name; absent for every default of such a key that the caller holds.
    pub scopes: Option<Vec<String>>,
    /// From where it may be used.
    pub ip_allowlist: Allowlist,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Where payments made with it arrive (ARZ-1).
    pub destination: Option<Name>,
    /// Where its webhooks go (ARZ-1).
    pub webhook_url: Option<WebhookUrl>,
}

/// The owner of a key to be made, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundOwner {
    /// The organization.
    Organization,
    /// The bank, if there is one.
    Bank(Option<Bank>),
    /// The user, if there is one.
    User(Option<User>),
}

/// A key that a caller may make. [`CallerAuthority::create_key`] alone makes one, so that no key is
/// stored whose maker was not asked for what it hands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    key: Key,
    user: Option<User>,
}

impl NewKey {
    /// A key that the operator makes, whose AWS credentials let them write whatever they like.
    #[must_use]
    pub const fn by_operator(key: Key) -> Self {
        Self { key, user: None }
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// The key, to be shown.
    #[must_use]
    pub fn into_key(self) -> Key {
        self.key
    }

    /// The user of a personal key, where its secret is shown to somebody else: what the caller was
    /// found to be allowed to hold rests on what that user is.
    #[must_use]
    pub fn user_of_others(&self) -> Option<&User> {
        self.user.as_ref()
    }
}

impl CallerAuthority {
    /// Refuses an owner for whom the caller makes no keys. `field` is what the caller calls the
    /// owner. What is not the caller's organization's is refused with the words for what does not
    /// exist.
    ///
    /// # Errors
    /// [`Kind::InsufficientScope`], [`Kind::Forbidden`], [`Kind::InvalidParameter`] for an owner
    /// that is none, [`Kind::Conflict`] for a user who is disabled.
    pub fn require_creates(
        &self,
        operation: Operation,
        catalogue: &Catalogue,
        (owner, found): (Owner, &FoundOwner),
        field: &str,
    ) -> Result<(), Error> {
        let target = Target {
            organization: self.organization,
            owner,
            kind: self.kind,
        };
        self.permits(operation, target)?;
        let none =
            |what: &str| Error::field(field, format!("names no {what} of this organization"));
        let forbidden = |message| Err(Error::new(Kind::Forbidden, message));
        match (owner, found) {
            _ if self.is_operator() => Ok(()),
            _ if self.bank.is_some() && owner.bank() != self.bank => {
                forbidden("A bank's token makes keys of its bank alone")
            }
            // CYB-4: its bank is what the token says.
            (Owner::Bank(_), _) if self.bank.is_some() => Ok(()),
            (Owner::Organization(guid), _) if guid == self.organization => Ok(()),
            (Owner::Organization(_), _) => {
                Err(Error::field(field, "is not the caller's own organization"))
            }
            (Owner::Bank(guid), FoundOwner::Bank(Some(bank)))
                if bank.guid == guid
                    && bank.organization == self.organization
                    && bank.environment.kind() == self.kind =>
            {
                Ok(())
            }
            (Owner::Bank(_), _) => Err(none(&format!("{} bank", self.kind))),
            (Owner::User(_), _) if self.user.is_none() => {
                forbidden("Only people make personal keys, by a personal key")
            }
            (Owner::User(_), _) if self.is_own(owner) => Ok(()),
            (Owner::User(guid), FoundOwner::User(Some(user)))
                if user.guid == guid && user.organization == self.organization =>
            {
                self.require_say(target, Some(user))?;
                if user.is_disabled() {
                    return Err(Error::new(
                        Kind::Conflict,
                        "The user is disabled and gets no keys",
                    ));
                }
                self.require_user(catalogue, user)
            }
            (Owner::User(_), _) => Err(none("user")),
        }
    }

    /// The key that is wanted, as far as the caller may hand on what it holds: of its own
    /// organization and kind, with a first secret made at `made_at`. It counts as made past the
    /// window of every incident that would cover it (LEAK-8).
    ///
    /// # Errors
    /// What [`CallerAuthority::require_creates`] refuses; scopes, a list or an end that the caller
    /// may not give; members that do not go together (ARZ-1).
    pub fn create_key(
        &self,
        operation: Operation,
        catalogue: &Catalogue,
        home: &OrganizationWithGate,
        (wanted, found, field): (KeyWanted, FoundOwner, &str),
        (client_id, secret, made_at): (ClientId, SecretId, Timestamp),
    ) -> Result<NewKey, Error> {
        let owner = wanted.owner;
        self.require_creates(operation, catalogue, (owner, &found), field)?;
        let creation = home.gate.creation(owner, self.kind, made_at);
        let latest_end = home.organization.latest_end(creation);
        self.require_allowlist(&wanted.ip_allowlist)?;
        let scopes = match owner.holder() {
            Some(holder) => self.scopes_for(catalogue, holder, wanted.scopes.as_deref())?,
            None => ScopeSet::default(),
        };
        let draft = Draft {
            owner,
            organization: self.organization,
            kind: self.kind,
            name: wanted.name,
            description: wanted.description,
            scopes,
            ip_allowlist: wanted.ip_allowlist,
            expires_at: self.expiry(wanted.expires_at, latest_end, creation)?,
            destination: wanted.destination,
            webhook_url: wanted.webhook_url,
        };
        let key = Key {
            made_by: self.person(),
            ..Key::create(draft, client_id, secret, creation)?.with_shown_to(self.shows_to(owner)?)
        };
        let user = match found {
            FoundOwner::User(user) if !self.is_own(owner) => user,
            _ => None,
        };
        Ok(NewKey { key, user })
    }
}
