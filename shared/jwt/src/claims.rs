//! What a token says (docs/requirements.md, Tokens).

use domain::{
    allowlist::Allowlist,
    feed::Parent,
    ids::{ClientId, Guid, SecretId},
    key::Owner,
    key_mode::KeyMode,
    scope::ScopeSet,
    time::Timestamp,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The claims of an access token. On the wire there are two more: `sub`, which is `client_id` (RFC
/// 9068 §2.2, client credentials) or, of a customer's token, the customer; and `bank`, which
/// follows from `owner`. A token that says otherwise is refused.
///
/// Members that this version does not know are ignored (RFC 7519 §4), so that a later one may add
/// some. After the first release one that *restricts* must come with `crit` in the header, so that
/// readers which would pass over it refuse the token instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Claims {
    /// Who issued it: the deployment's issuer.
    pub iss: String,
    /// For whom: the audience of its kind. One text, never a list.
    pub aud: String,
    /// The token's own identifier.
    pub jti: Guid,
    /// The key that obtained it.
    pub client_id: ClientId,
    /// The secret that obtained it.
    pub sid: SecretId,
    /// The tenant.
    pub org: Guid,
    /// Whose the key is.
    pub owner: Owner,
    /// The customer that it acts for (CYB-8).
    pub customer: Option<Guid>,
    /// The token that it was derived from; revoking its key, secret or itself ends this one too
    /// (CYB-8).
    pub parent: Option<Parent>,
    /// Sandbox or live; a token is signed by the key of its kind.
    pub env: KeyMode,
    /// When the key was made. In **milliseconds**, unlike the registered times: rounded to seconds
    /// it would cross the edge of a revocation by creation window.
    pub key_created: Timestamp,
    /// What it may do.
    pub scope: ScopeSet,
    /// From where it may be used, as the key's list stood at issuance (CYB-6). Absent from the
    /// token when empty.
    pub ip_allowlist: Allowlist,
    /// When it was issued. This and the next two are `NumericDate`s: whole seconds, rounded down.
    pub iat: Timestamp,
    /// Not to be used before.
    pub nbf: Timestamp,
    /// Not to be used at this moment or later.
    pub exp: Timestamp,
}

impl Claims {
    /// Whom it is about: the customer, or the client itself.
    #[must_use]
    pub fn subject(&self) -> String {
        self.customer.map_or_else(
            || self.client_id.to_string(),
            |customer| customer.to_string(),
        )
    }

    /// The bank that it is scoped to (CYB-4).
    #[must_use]
    pub const fn bank(&self) -> Option<Guid> {
        self.owner.bank()
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    iss: String,
    aud: String,
    sub: String,
    jti: Guid,
    client_id: ClientId,
    sid: SecretId,
    org: Guid,
    owner: Owner,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bank: Option<Guid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer: Option<Guid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
    env: KeyMode,
    #[serde(with = "milliseconds")]
    key_created: Timestamp,
    #[serde(with = "spaced")]
    scope: ScopeSet,
    // A null, or a list that CYB-5 refuses, is an error: it never counts as no list.
    #[serde(default, skip_serializing_if = "Allowlist::is_empty")]
    ip_allowlist: Allowlist,
    #[serde(with = "seconds")]
    iat: Timestamp,
    #[serde(with = "seconds")]
    nbf: Timestamp,
    #[serde(with = "seconds")]
    exp: Timestamp,
}

impl From<Claims> for Wire {
    fn from(claims: Claims) -> Self {
        Self {
            sub: claims.subject(),
            bank: claims.bank(),
            iss: claims.iss,
            aud: claims.aud,
            jti: claims.jti,
            client_id: claims.client_id,
            sid: claims.sid,
            org: claims.org,
            owner: claims.owner,
            customer: claims.customer,
            parent: claims.parent,
            env: claims.env,
            key_created: claims.key_created,
            scope: claims.scope,
            ip_allowlist: claims.ip_allowlist,
            iat: claims.iat,
            nbf: claims.nbf,
            exp: claims.exp,
        }
    }
}

impl TryFrom<Wire> for Claims {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        let claims = Self {
            iss: wire.iss,
            aud: wire.aud,
            jti: wire.jti,
            client_id: wire.client_id,
            sid: wire.sid,
            org: wire.org,
            owner: wire.owner,
            customer: wire.customer,
            parent: wire.parent,
            env: wire.env,
            key_created: wire.key_created,
            scope: wire.scope,
            ip_allowlist: wire.ip_allowlist,
            iat: wire.iat,
            nbf: wire.nbf,
            exp: wire.exp,
        };
        if wire.sub != claims.subject() {
            return Err("sub is not the client or customer");
        }
        if wire.bank != claims.bank() {
            return Err("bank is not the owner's");
        }
        // Two lists unite in a customer's token alone (CYB-8); every other has one key's.
        if claims.customer.is_none()
            && claims.ip_allowlist.entries().count() > Allowlist::MAX_ENTRIES
        {
            return Err("ip_allowlist has more entries than a key's list");
        }
        if claims.customer.is_some() != claims.parent.is_some() {
            return Err("a customer's token has a parent, and no other has");
        }
        Ok(claims)
    }
}

/// A `NumericDate` (RFC 7519 §2) in whole seconds. A fraction is refused, and so is a time that
/// [`Timestamp`] cannot hold and would bend into range.
mod seconds {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    pub(super) fn serialize<S: Serializer>(
        at: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.seconds())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        let seconds = i64::deserialize(deserializer)?;
        super::within(Timestamp::from_seconds(seconds), |at| {
            at.seconds() == seconds
        })
    }
}

/// Milliseconds since the Unix epoch.
mod milliseconds {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    pub(super) fn serialize<S: Serializer>(
        at: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        let millis = i64::deserialize(deserializer)?;
        super::within(Timestamp::from_millis(millis), |at| at.millis() == millis)
    }
}

fn within<E: serde::de::Error>(
    at: Timestamp,
    unbent: impl Fn(Timestamp) -> bool,
) -> Result<Timestamp, E> {
    if unbent(at) {
        Ok(at)
    } else {
        Err(E::custom("a time is outside the years 1970 to 9999"))
    }
}

/// Scopes as RFC 6749 §3.3 writes them: in one text, separated by spaces.
mod spaced {
    use serde::de::Error as _;

    use super::{Deserialize, Deserializer, ScopeSet, Serializer};

    pub(super) fn serialize<S: Serializer>(
        scopes: &ScopeSet,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(scopes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ScopeSet, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
