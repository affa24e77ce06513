//! What a reader asks about: the facts that a token or key names, and what the feed has against
//! them.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ClientId, Guid, SecretId},
    key_mode::KeyMode,
    time::Timestamp,
};

/// The facts about a token or a bearer key that an entry can name.
#[derive(Clone, Copy, Debug)]
pub struct Credential<'a> {
    /// The key.
    pub client_id: ClientId,
    /// The secret that obtained the token, or that was presented.
    pub secret: SecretId,
    /// The token's `jti`; a bearer key has none.
    pub token: Option<Guid>,
    /// The user it acts for, or whose personal key it is.
    pub user: Option<Guid>,
    /// The people who were shown the secret of a personal key that is not theirs: it rests on them
    /// too (LEAK-9).
    pub minters: &'a [Guid],
    /// The bank or application that owns the key.
    pub owner: Option<Guid>,
    /// The tenant.
    pub organization: Guid,
    /// The key's kind.
    pub kind: KeyMode,
    /// When the key was made, to the millisecond: rounded, it would cross the edge of a creation
    /// window.
    pub key_created: Timestamp,
    /// The credentials it was derived from, nearest first (CYB-8); revoking any of them kills it.
    pub parents: &'a [Parent],
}

impl Credential<'_> {
    /// Whether KYB gates its key: all but personal keys, which are presented themselves
    /// (docs/requirements.md, Key states).
    pub(super) const fn is_gated_by_kyb(&self) -> bool {
        self.user.is_none() || self.token.is_some()
    }
}

/// An ancestor of a token, as the token carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The ancestor's key.
    pub client_id: ClientId,
    /// The secret that obtained the ancestor.
    pub sid: SecretId,
    /// The ancestor's own id.
    pub jti: Guid,
}

/// Why the feed refuses a credential. For the log line; callers answer all of them with the
/// same 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invalidation {
    /// For good, by an entry about this fact.
    Revoked(Fact),
    /// For now, by an entry about this fact.
    Suspended(Fact),
    /// Past the end that an entry gave to this fact.
    Expired(Fact),
}

/// Which fact about a credential an entry named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Its key, or an ancestor's.
    Key,
    /// Its secret, or an ancestor's.
    Secret,
    /// The token itself, or an ancestor.
    Token,
    /// Its user.
    User,
    /// The person who was shown its secret and is not its user.
    Minter,
    /// The bank or application that owns its key.
    Owner,
    /// Its organization.
    Organization,
}
