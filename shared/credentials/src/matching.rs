//! Checking secrets: whoever is shown one asks here whose it is. What it costs is the same for
//! every wrong one.

use domain::{
    error::Error,
    ids::SecretId,
    secret::{NoSuchPepper, PlainSecret, Secret, SecretHash},
};

use crate::pepper::PepperSource;

/// Which of a key's stored secrets was presented; whether that one works stands in the key
/// (`domain::key::Secrets::term`).
///
/// Every stored hash is checked, and where there is none a decoy, so that an unknown client costs
/// what a known one does.
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
    if stored.is_empty() {
        SecretHash::decoy(&peppers)
            .matches(presented, &peppers)
            .map_err(missing)?;
    }
    let mut matching = None;
    for secret in stored {
        if secret.hash.matches(presented, &peppers).map_err(missing)? {
            matching = Some(secret.id);
        }
    }
    Ok(matching)
}
