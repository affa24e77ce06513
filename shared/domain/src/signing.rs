//! How long the steps of a signing key's roll wait (docs/signing-keys.md): publish, wait until
//! every verifier has the key, sign, wait until every token of the old key is over, retire.
//!
//! Everybody who remembers something about signing keys takes the time from here, so that the waits
//! follow whatever changes.

use std::time::Duration;

use crate::{feed::Rules, time::Timestamp};

/// How long a verifier may keep the JWKS document: the `max-age` that it is served with.
pub const JWKS_MAX_AGE: Duration = Duration::from_mins(5);
/// How long an instance of the token function serves the document as it last read it.
pub const JWKS_TTL: Duration = Duration::from_mins(1);
/// From this age on an authorizer reads the trusted keys again, and uses them if that fails.
pub const TRUST_REFRESH_INTERVAL: Duration = Duration::from_mins(4);
/// From this age on it does not use them: a retired key dies everywhere within five minutes,
/// whatever the table does.
pub const TRUST_TTL: Duration = Duration::from_mins(5);
/// How long an instance of the token function goes by the signer that it read. One read a minute
/// and instance costs nothing beside the tokens, and a minute is what an emergency waits until
/// nobody signs by the old key any more.
pub const SIGNER_REFRESH_INTERVAL: Duration = Duration::from_mins(1);
/// From this age on it does not sign by it. Until then it does if the signer cannot be read: to be
/// late is no harm, since the old key is retired only after this; to guess for longer would be,
/// since somebody may have retired it.
pub const SIGNER_TTL: Duration = Duration::from_mins(5);

/// How long a request may be under way: the gateway gives up after 29 seconds, the token function
/// after 28.
const MAX_REQUEST_DURATION: Duration = Duration::from_secs(30);

/// Two clocks, each within the bound of the table's.
const fn clocks() -> Duration {
    Rules::STANDARD.clock_bound.saturating_mul(2)
}

/// How long a key must have been published before it signs. Until then a verifier may hold a list
/// without it: one that asked just before got what an instance kept, and keeps it for the whole
/// `max-age`; an authorizer keeps what it read.
#[must_use]
pub const fn before_signing() -> Duration {
    let document = JWKS_TTL
        .saturating_add(MAX_REQUEST_DURATION)
        .saturating_add(JWKS_MAX_AGE);
    let longest = if document.as_millis() > TRUST_TTL.as_millis() {
        document
    } else {
        TRUST_TTL
    };
    longest.saturating_add(clocks())
}

/// How long a key must have stopped signing before it is retired. An instance that read the signer
/// just before the change signs by it for as long as it may, and the last of its tokens may live
/// for as long as any.
#[must_use]
pub const fn before_retiring() -> Duration {
    SIGNER_TTL
        .saturating_add(MAX_REQUEST_DURATION)
        .saturating_add(Rules::STANDARD.longest_token)
        .saturating_add(clocks())
}

/// When a key that was published then may sign.
#[must_use]
pub fn may_sign_at(published_at: Timestamp) -> Timestamp {
    published_at + before_signing()
}

/// When a key that stopped signing then may be retired.
#[must_use]
pub fn may_retire_at(stopped_at: Timestamp) -> Timestamp {
    stopped_at + before_retiring()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arithmetic of docs/signing-keys.md. Where a number changes, so does the document.
    #[test]
    fn the_waits_are_those_of_the_document() {
        assert_eq!(before_signing(), Duration::from_secs(60 + 30 + 300 + 10));
        assert_eq!(before_retiring(), Duration::from_secs(300 + 30 + 3600 + 10));
        let document = include_str!("../../../docs/signing-keys.md");
        assert!(
            document.contains("60 + 30 + 300 + 10 = 400 s")
                && document.contains("300 + 30 + 3600 + 10 = 3940 s")
        );
    }

    #[test]
    fn no_verifier_keeps_keys_for_longer_than_a_new_one_waits() {
        assert!(before_signing() > JWKS_TTL + JWKS_MAX_AGE + clocks());
        assert!(before_signing() > TRUST_TTL + clocks());
        assert!(TRUST_REFRESH_INTERVAL < TRUST_TTL && SIGNER_REFRESH_INTERVAL < SIGNER_TTL);
        assert!(before_retiring() > SIGNER_TTL + Rules::STANDARD.longest_token + clocks());
    }
}
