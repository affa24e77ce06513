//! What can become of a request, in words: closed vocabularies for callers, logs and tests.

use domain::{
    error::PLAN_UPGRADE_REQUIRED,
    feed::{Fact, Invalidation},
    ids::ClientId,
};

use crate::{bearer::NoBearer, context::Context};

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It passes, and the API learns this.
    Allow(Context),
    /// 403 to a caller that is known.
    Deny {
        /// Why; the caller may know.
        reason: DenyReason,
        /// The caller's key.
        client_id: ClientId,
    },
    /// The one static 401; the reason is for the log.
    Unauthorized(Unauthorized),
    /// 503: nobody can tell right now, so nobody passes.
    Unavailable(Unavailable),
}

/// What a look-up found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookUpResult {
    /// There was no look-up, or it failed.
    NotRead,
    /// The credential works.
    Valid,
    /// The credential does not work, and why.
    Invalid(Unauthorized),
}

/// Why a known caller is refused: a closed vocabulary, since gateway responses substitute it into
/// JSON without escaping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DenyReason {
    /// CYB-7.
    IpNotAllowed,
    /// The credential has an allowlist and the event no address.
    IpUnknown,
    /// The route needs a scope that the credential lacks.
    InsufficientScope,
    /// The route is not listed, or not open to such a caller whatever its scopes.
    Forbidden,
    /// The organization's plan has no personal keys (CBM-2).
    PlanUpgradeRequired,
}

impl DenyReason {
    /// Every reason, for the error reference.
    pub const ALL: [Self; 5] = [
        Self::IpNotAllowed,
        Self::IpUnknown,
        Self::InsufficientScope,
        Self::Forbidden,
        Self::PlanUpgradeRequired,
    ];

    /// The `message_code`.
    #[must_use]
    pub const fn message_code(self) -> &'static str {
        match self {
            Self::IpNotAllowed => "ip_not_allowed",
            Self::IpUnknown => "ip_unknown",
            Self::InsufficientScope => "insufficient_scope",
            Self::Forbidden => "forbidden",
            Self::PlanUpgradeRequired => "plan_upgrade_required",
        }
    }

    /// The `message`.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::IpNotAllowed => "IP address not in allowlist",
            Self::IpUnknown => {
                "The credential carries an IP allowlist and the address of this call is not known"
            }
            Self::InsufficientScope => "The credential lacks a scope that this operation needs",
            Self::Forbidden => "This operation is not open to this caller",
            Self::PlanUpgradeRequired => PLAN_UPGRADE_REQUIRED,
        }
    }
}

/// Why a request is 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unauthorized {
    /// It presents no bearer credential.
    NoBearer(NoBearer),
    /// The token is not to be believed.
    Token(jwt::VerificationError),
    /// A token of a personal key. None is issued: it would keep the role and scopes that its user
    /// had then (CBM-1).
    PersonalToken,
    /// The secret is none of a personal key that works.
    Key(KeyError),
    /// The revocation feed has something against it.
    Invalidated(Invalidation),
}

/// Why a secret does not pass as a bearer credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyError {
    /// This deployment takes tokens alone.
    Off,
    /// No such key, or not its secret; nobody is told which.
    WrongSecret,
    /// The secret says another kind than its key's.
    WrongKind,
    /// The secret of a machine's key, which gets tokens and is none.
    NotPersonal,
    /// Of a kind that this deployment does not accept.
    KindNotAccepted,
    /// The previous secret of a rotated key, past its grace.
    SecretEnded,
    /// Whoever was shown somebody else's secret is disabled, or was narrowed since (LEAK-9).
    MinterEnded,
    /// The key, its user or its organization is stopped.
    Deactivated,
    /// Past the key's end.
    Expired,
    /// For good.
    Revoked,
}

impl KeyError {
    /// Every one, for tests.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 10] = [
        Self::Off,
        Self::WrongSecret,
        Self::WrongKind,
        Self::NotPersonal,
        Self::KindNotAccepted,
        Self::SecretEnded,
        Self::MinterEnded,
        Self::Deactivated,
        Self::Expired,
        Self::Revoked,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Off => "bearer_keys_off",
            Self::WrongSecret => "secret_wrong",
            Self::WrongKind => "secret_of_other_kind",
            Self::NotPersonal => "key_not_personal",
            Self::KindNotAccepted => "key_wrong_kind",
            Self::SecretEnded => "secret_ended",
            Self::MinterEnded => "minter_ended",
            Self::Deactivated => "key_deactivated",
            Self::Expired => "key_expired",
            Self::Revoked => "key_revoked",
        }
    }
}

impl Unauthorized {
    /// A word for the log, and for those whom an introspection may tell.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoBearer(NoBearer::Absent) => "credential_absent",
            Self::NoBearer(NoBearer::Repeated) => "credential_repeated",
            Self::NoBearer(NoBearer::Malformed) => "credential_malformed",
            Self::Token(error) => error.name(),
            Self::PersonalToken => "token_of_personal_key",
            Self::Key(error) => error.name(),
            Self::Invalidated(Invalidation::Revoked(fact)) => match fact {
                Fact::Key => "key_revoked",
                Fact::Secret => "secret_revoked",
                Fact::Token => "token_revoked",
                Fact::User => "user_revoked",
                Fact::Minter => "minter_revoked",
                Fact::Owner => "owner_revoked",
                Fact::Organization => "organization_revoked",
            },
            Self::Invalidated(Invalidation::Suspended(fact)) => match fact {
                Fact::Key => "key_suspended",
                Fact::Secret => "secret_suspended",
                Fact::Token => "token_suspended",
                Fact::User => "user_suspended",
                Fact::Minter => "minter_suspended",
                Fact::Owner => "owner_suspended",
                Fact::Organization => "organization_suspended",
            },
            // Past an end that was set after the token was issued.
            Self::Invalidated(Invalidation::Expired(fact)) => match fact {
                Fact::Key => "key_expired",
                Fact::Secret => "secret_ended",
                Fact::Token => "token_expired",
                Fact::User => "user_expired",
                Fact::Minter => "minter_expired",
                Fact::Owner => "owner_expired",
                Fact::Organization => "organization_expired",
            },
        }
    }
}

/// What keeps the authorizer from deciding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unavailable {
    /// The revocation feed could not be read for too long (CBM-4).
    Feed,
    /// The trusted keys could not be read for too long.
    Keys,
    /// The credential is to be looked up, and the look-up failed.
    LookUp,
    /// The presented personal key, its gates or the peppers could not be read.
    PersonalKey,
    /// The credential has an allowlist, and whether the call came through the trusted proxy could
    /// not be told.
    Address,
}

impl Unavailable {
    /// A word for the log and for the gateway's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed_stale",
            Self::Keys => "keys_stale",
            Self::LookUp => "look_up_failed",
            Self::PersonalKey => "personal_key_unread",
            Self::Address => "address_undetermined",
        }
    }
}

/// Why a credential does not work, wherever it is sent and whatever for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialError {
    Unauthorized(Unauthorized),
    Denied(DenyReason),
    Unavailable(Unavailable),
}
