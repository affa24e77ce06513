//! The trusted signing keys: the published ones of the accepted kinds.

use std::{sync::Arc, time::Duration};

use domain::{
    error::Error,
    key_mode::KeyMode,
    signing::{TRUST_REFRESH_INTERVAL, TRUST_TTL},
    time::{Clock, Timestamp},
};
use jwt::{Jwk, Verifier};
use runtime::refreshing::{Lifetime, Read, Refreshing};
use store::{PublishedKey, Store};

/// How long a read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two reads while older keys are usable, and between two for an unknown `kid`, which
/// anybody may present.
const RETRY_AFTER: Duration = Duration::from_secs(3);
const LIFETIME: Lifetime = Lifetime {
    usable: Some(TRUST_TTL),
    retry_after: RETRY_AFTER,
    reread_after: RETRY_AFTER,
    ..Lifetime::fresh_for(TRUST_REFRESH_INTERVAL)
};

/// The keys of this instance.
pub(crate) struct Keys {
    store: Store,
    kinds: Vec<KeyMode>,
    verifier: Refreshing<Verifier>,
}

impl Keys {
    pub(crate) fn new(store: Store, clock: Clock, kinds: Vec<KeyMode>) -> Self {
        // While nothing is published at all, another read is always worth it.
        let is_complete = |verifier: &Verifier| !verifier.is_empty();
        Self {
            store,
            kinds,
            verifier: Refreshing::new("the set of trusted keys", clock, LIFETIME)
                .complete_if(is_complete),
        }
    }

    /// The verifier over the keys at a request, read again where their age asks for it.
    ///
    /// # Errors
    /// When they are too old, and cannot be read.
    pub(crate) async fn current(&self, request: Timestamp) -> Result<Arc<Verifier>, Error> {
        let read = || self.read(READ_TIMEOUT);
        self.verifier.current_at(request, read).await
    }

    /// The verifier to ask once more about a key that the last one did not know, after a read
    /// unless it is too soon for one.
    ///
    /// # Errors
    /// When the newest read failed: then nobody knows whether the key is published.
    pub(crate) async fn refresh_for_unknown_kid(&self) -> Result<Arc<Verifier>, Error> {
        self.verifier.reread(|| self.read(READ_TIMEOUT)).await
    }

    /// Reads them ahead of the first call.
    pub(crate) async fn warm(&self, timeout: Duration) {
        // A failure is in the log, and the first call reads again.
        _ = self.verifier.current(|| self.read(timeout)).await;
    }

    fn read(&self, timeout: Duration) -> Read<'_, Verifier> {
        Box::pin(async move {
            let read = tokio::time::timeout(timeout, self.published())
                .await
                .unwrap_or_else(|_| Err("the read took too long".into()));
            read.map_err(|cause| {
                tracing::warn!(cause, "the trusted keys were not read");
                Error::temporarily_unavailable()
            })
        })
    }

    async fn published(&self) -> Result<Verifier, String> {
        let mut keys = Vec::new();
        for kind in &self.kinds {
            let published = self.store.signing_keys(*kind).await;
            let published = published.map_err(|error| error.to_string())?;
            keys.extend(
                published
                    .into_iter()
                    .filter_map(trusted)
                    .map(|jwk| (*kind, jwk)),
            );
        }
        Verifier::new(keys).map_err(|error| error.to_string())
    }
}

/// The key of a row, if it is one: a row that is not vouches for nothing, and must not take the
/// others down with it.
fn trusted(row: PublishedKey) -> Option<Jwk> {
    let jwk: Result<Jwk, _> = serde_json::from_value(row.jwk);
    match jwk {
        Ok(jwk) if jwk.kid() == row.kid => return Some(jwk),
        Ok(_) => tracing::error!(
            kid = row.kid,
            "a published key lies under another key's name: it is not trusted"
        ),
        Err(error) => {
            tracing::error!(
                kid = row.kid,
                %error,
                "a published key cannot be read: it is not trusted"
            );
        }
    }
    None
}
