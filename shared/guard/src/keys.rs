//! The trusted signing keys: the published ones of the accepted kinds.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use domain::{
    key_mode::KeyMode,
    signing::{TRUST_REFRESH_INTERVAL, TRUST_TTL},
    time::{Clock, Timestamp},
};
use jwt::{Jwk, Verifier};
use store::{PublishedKey, Store};

use crate::flight::Flight;

/// An unknown `kid` costs whoever presents it nothing: it causes a read at most this often.
const MIN_READ_INTERVAL: Duration = Duration::from_secs(3);
/// How long a read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// The keys of this instance.
pub(crate) struct Keys {
    store: Store,
    clock: Clock,
    kinds: Vec<KeyMode>,
    known: RwLock<Known>,
    flight: Flight,
}

#[derive(Clone, Default)]
struct Known {
    verifier: Arc<Verifier>,
    /// When the read that they are from was sent.
    read_at: Option<Timestamp>,
    /// When the newest try was made, and whether it failed.
    tried_at: Option<Timestamp>,
    failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Fresh,
    Ageing,
    Stale,
}

impl Known {
    fn age(&self, now: Timestamp) -> Age {
        let Some(read_at) = self.read_at else {
            return Age::Stale;
        };
        if now < read_at || now >= read_at + TRUST_TTL {
            Age::Stale
        } else if now >= read_at + TRUST_REFRESH_INTERVAL {
            Age::Ageing
        } else {
            Age::Fresh
        }
    }

    /// Whether another try may be made already. While nothing is published at all, a try is always
    /// worth it.
    fn may_try(&self, now: Timestamp) -> bool {
        self.verifier.is_empty()
            || self
                .tried_at
                .is_none_or(|tried| now < tried || now >= tried + MIN_READ_INTERVAL)
    }
}

impl Keys {
    pub(crate) fn new(store: Store, clock: Clock, kinds: Vec<KeyMode>) -> Self {
        Self {
            store,
            clock,
            kinds,
            known: RwLock::default(),
            flight: Flight::default(),
        }
    }

    /// The verifier over the keys at `now`, read again where their age asks for it; nothing when
    /// they are too old.
    pub(crate) async fn current(&self, now: Timestamp) -> Option<Arc<Verifier>> {
        let known = self.known();
        match known.age(self.moment(now)) {
            Age::Fresh => return Some(known.verifier),
            Age::Ageing if !known.may_try(now) => return Some(known.verifier),
            Age::Ageing | Age::Stale => {
                self.flight
                    .join(async || self.read(READ_TIMEOUT).await)
                    .await;
            }
        }
        let known = self.known();
        (known.age(self.moment(now)) != Age::Stale).then_some(known.verifier)
    }

    /// The verifier to ask once more about a key that the last one did not know, after a read
    /// unless it is too soon for one; nothing when the newest read failed: then nobody knows
    /// whether the key is published.
    pub(crate) async fn refresh_for_unknown_kid(&self, now: Timestamp) -> Option<Arc<Verifier>> {
        if self.known().may_try(self.moment(now)) {
            self.flight
                .join(async || self.read(READ_TIMEOUT).await)
                .await;
        }
        let known = self.known();
        (!known.failed).then_some(known.verifier)
    }

    /// Reads them ahead of the first call.
    pub(crate) async fn warm(&self, timeout: Duration) {
        self.flight.join(async || self.read(timeout).await).await;
    }

    /// Never before the clock's: since a request's moment was taken, another may have read the
    /// keys.
    fn moment(&self, now: Timestamp) -> Timestamp {
        now.max((self.clock)())
    }

    fn known(&self) -> Known {
        self.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn read(&self, timeout: Duration) {
        let sent = (self.clock)();
        let read = tokio::time::timeout(timeout, self.published())
            .await
            .unwrap_or_else(|_| Err("the read took too long".into()));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.tried_at = Some(sent);
        known.failed = read.is_err();
        match read {
            Ok(verifier) => {
                known.verifier = Arc::new(verifier);
                known.read_at = Some(sent);
            }
            Err(cause) => tracing::warn!(cause, "the trusted keys were not read"),
        }
    }

    async fn published(&self) -> Result<Verifier, String> {
        let mut keys = Vec::new();
        for kind in &self.kinds {
            // In a box, since it is rare: what most calls wait for is nothing.
            let published = Box::pin(self.store.signing_keys(*kind))
                .await
                .map_err(|error| error.to_string())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn keys_are_read_again_after_four_minutes_and_dead_after_five() {
        let known = Known {
            read_at: Some(at(0)),
            ..Known::default()
        };
        assert_eq!(Known::default().age(at(0)), Age::Stale);
        assert_eq!(
            known.age(at(-1)),
            Age::Stale,
            "the clock went back: their age is unknown"
        );
        assert_eq!(known.age(at(0)), Age::Fresh);
        assert_eq!(known.age(at(239_999)), Age::Fresh);
        assert_eq!(known.age(at(240_000)), Age::Ageing);
        assert_eq!(known.age(at(299_999)), Age::Ageing);
        assert_eq!(known.age(at(300_000)), Age::Stale);
    }

    #[test]
    fn an_unknown_kid_causes_a_read_every_three_seconds_at_most() {
        let jwk = serde_json::from_value(
            serde_json::json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
            "kid": "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"}),
        );
        let verifier = Arc::new(Verifier::new([(KeyMode::Sandbox, jwk.unwrap())]).unwrap());
        let known = Known {
            verifier,
            read_at: Some(at(0)),
            tried_at: Some(at(0)),
            failed: false,
        };
        assert!(!known.may_try(at(0)) && !known.may_try(at(2_999)));
        assert!(known.may_try(at(3_000)) && known.may_try(at(-1)));
        assert!(
            Known {
                tried_at: Some(at(0)),
                ..Known::default()
            }
            .may_try(at(0)),
            "nothing is published yet"
        );
    }
}
