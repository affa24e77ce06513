//! Checking secrets: whoever is shown one asks here whose it is. What it costs is the same for
//! every wrong one.

use std::hint::black_box;

use domain::{
    error::Error,
    ids::SecretId,
    secret::{NoSuchPepper, PlainSecret, Secret, SecretHash},
};

use crate::pepper::PepperSource;

/// Secrets that a key has at once: the current one and a previous one.
const MAX_SECRETS: usize = 2;

/// Which of a key's stored secrets was presented; whether that one works stands in the key
/// (`domain::key::Secrets::term`).
///
/// Every stored hash is checked, and decoys in the place of those that a key could have more, so
/// that an unknown client costs what a known one does.
///
/// # Errors
/// [`domain::error::Kind::TemporarilyUnavailable`] when the peppers cannot be read, or one that a
/// hash names is missing.
pub async fn matching(
    source: &PepperSource,
    presented: &PlainSecret,
    stored: &[Secret],
) -> Result<Option<SecretId>, Error> {
    let mut peppers = source.peppers().await?;
    if stored
        .iter()
        .any(|secret| secret.hash.matches(presented, &peppers) == Err(NoSuchPepper))
    {
        peppers = source.reread().await?;
    }
    let missing = |error: NoSuchPepper| {
        tracing::error!(cause = %error, "a secret cannot be checked");
        Error::temporarily_unavailable()
    };
    let decoy = SecretHash::decoy(&peppers);
    for _ in stored.len()..MAX_SECRETS {
        // Not left out by the compiler, though nobody asks for what it says.
        black_box(decoy.matches(presented, &peppers)).map_err(missing)?;
    }
    let mut matching = None;
    for secret in stored {
        if secret.hash.matches(presented, &peppers).map_err(missing)? {
            matching = Some(secret.id);
        }
    }
    Ok(matching)
}
