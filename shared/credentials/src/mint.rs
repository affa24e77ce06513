//! Making secrets: whoever hands one out makes it here, and what is kept of it with it.

use domain::{
    error::Error,
    ids::ClientId,
    key_mode::KeyMode,
    secret::{Brand, PlainSecret, Secret},
    time::Timestamp,
};
use runtime::Entropy;

use crate::pepper::PepperSource;

/// A new secret of a key: the text, to be shown once, and what is stored of it.
///
/// # Errors
/// [`domain::error::Kind::TemporarilyUnavailable`] when the peppers cannot be read.
pub async fn mint(
    peppers: &PepperSource,
    brand: &Brand,
    entropy: &Entropy,
    kind: KeyMode,
    client_id: ClientId,
    now: Timestamp,
) -> Result<(PlainSecret, Secret), Error> {
    let plain = PlainSecret::mint(brand, kind, client_id, &entropy.secret());
    // There is a pepper: a pepper secret without one is not read at all.
    let hash = plain
        .hash(&*peppers.peppers().await?)
        .map_err(|_| Error::internal())?;
    Ok((
        plain,
        Secret {
            id: entropy.secret_id(),
            hash,
            created_at: now,
        },
    ))
}
