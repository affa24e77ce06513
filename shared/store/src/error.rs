//! What can go wrong between the platform and its tables, and what callers are told of it.

use std::fmt;

use domain::error::{Error, Kind, causes};

use crate::limits::Limit;

/// Why a read or change did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// There is no such item (any more).
    NotFound,
    /// The item changed since it was read.
    Changed,
    /// An item of that key exists.
    Exists,
    /// The organization, or the person who makes a key, has as many as it may.
    LimitReached {
        /// What is limited.
        limit: Limit,
        /// How many there may be.
        max: u64,
    },
    /// The key or token is revoked, which is final.
    Revoked,
    /// The key on whose behalf the change was made no longer works.
    CallerStopped,
    /// What the caller may do has changed since the change was decided.
    CallerChanged,
    /// A create under this `Idempotency-Key` is remembered:
    /// [`Store::replayed`](crate::Store::replayed) tells what it made.
    Replayed,
    /// It would leave the organization without an owner.
    LastOwner,
    /// The organization's gate holds as many cohorts as it can.
    CohortsFull,
    /// Other transactions were under way on the same items, each time.
    Contended,
    /// This instance's clock is too far from `DynamoDB`'s: it makes no changes.
    ClockSkewed,
    /// `DynamoDB` did not answer, or throttled, within the call's time. The text is for the log.
    Unavailable(String),
    /// An item cannot be read as what it should be. The text is for the log.
    Corrupt(String),
}

impl StoreError {
    pub(crate) fn unavailable(error: impl std::error::Error) -> Self {
        Self::Unavailable(causes(&error))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no such item"),
            Self::Changed => f.write_str("the item changed since it was read"),
            Self::Exists => f.write_str("an item of that position exists"),
            Self::LimitReached { limit, max } => write!(f, "the limit of {max} {limit}"),
            Self::Revoked => f.write_str("the key is revoked"),
            Self::CallerStopped => f.write_str("the caller's key no longer works"),
            Self::CallerChanged => f.write_str("what the caller may do changed since it was read"),
            Self::Replayed => f.write_str("a create under this Idempotency-Key is remembered"),
            Self::LastOwner => f.write_str("the organization's last owner"),
            Self::CohortsFull => f.write_str("as many revoked cohorts as a gate can hold"),
            Self::Contended => {
                f.write_str("the transaction met others each time that it was tried")
            }
            Self::ClockSkewed => {
                f.write_str("the clock of this instance is more than five seconds from DynamoDB's")
            }
            Self::Unavailable(cause) => write!(f, "DynamoDB is unavailable: {cause}"),
            Self::Corrupt(cause) => write!(f, "an item is corrupt: {cause}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// What the caller is told. Causes that only operators may see are logged here.
impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::not_found(),
            StoreError::Changed | StoreError::Exists | StoreError::Replayed => Self::new(
                Kind::Conflict,
                "Somebody else changed this at the same moment; read it and try again",
            ),
            StoreError::LimitReached { limit, max } => {
                Self::new(Kind::LimitReached, limit.reached(max))
            }
            StoreError::Revoked => Self::new(
                Kind::Conflict,
                "The key is revoked, which is final: make a new one",
            ),
            StoreError::LastOwner => Self::new(
                Kind::Conflict,
                "This is the last owner of the organization: make another one first",
            ),
            StoreError::CohortsFull => Self::new(
                Kind::LimitReached,
                "The organization has 200 revocations of many keys, none of which can be merged: \
                 revoke a wider range at once, or have an owner do it",
            ),
            StoreError::CallerStopped => Self::unauthenticated(),
            StoreError::CallerChanged => Self::temporarily_unavailable(),
            StoreError::Contended | StoreError::ClockSkewed | StoreError::Unavailable(_) => {
                // `reason` is what the template's metric filters read.
                let reason = match error {
                    StoreError::ClockSkewed => "clock_skewed",
                    StoreError::Contended => "contended",
                    _ => "unavailable",
                };
                tracing::error!(reason, cause = %error, "store unavailable");
                Self::temporarily_unavailable()
            }
            StoreError::Corrupt(_) => {
                tracing::error!(cause = %error, "store corrupt");
                Self::internal()
            }
        }
    }
}
