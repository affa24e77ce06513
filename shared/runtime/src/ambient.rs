//! What surrounds a function: the one place that reads the ambient clock and draws random numbers.

use std::{fmt, sync::Arc};

use aws_config::BehaviorVersion;
pub use aws_config::SdkConfig;
use domain::{
    ids::{ClientId, Guid, SecretId},
    time::{Clock, Timestamp},
};
use zeroize::Zeroizing;

/// What a function gets from the world: time, randomness and AWS.
#[derive(Clone)]
pub struct Ambient {
    /// The present moment.
    pub clock: Clock,
    /// Randomness fit for secrets.
    pub entropy: Entropy,
    /// Region, credentials, endpoints and HTTP client of every AWS client.
    pub aws: SdkConfig,
}

impl Ambient {
    /// The real clock, the operating system's randomness, and AWS as this process's environment has
    /// it.
    pub async fn process() -> Self {
        Self {
            clock: system_clock(),
            entropy: Entropy::system(),
            aws: aws_config::load_defaults(BehaviorVersion::latest()).await,
        }
    }
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ambient")
    }
}

/// The operating system's clock.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "this module is where the clock is read"
        )]
        let now = std::time::SystemTime::now();
        let since_epoch = now
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    })
}

/// A source of random bytes; seeded in tests that compare whole bodies.
#[derive(Clone)]
pub struct Entropy(Fill);

/// Overwrites every byte that it is given.
type Fill = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

impl Entropy {
    /// The operating system's, through the cryptographic library.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(|bytes| {
            // A process without randomness must not go on to make guessable secrets.
            #[expect(
                clippy::disallowed_methods,
                reason = "this module is where randomness is drawn"
            )]
            aws_lc_rs::rand::fill(bytes)
                .unwrap_or_else(|_| unreachable!("the operating system gives no random bytes"));
        })
    }

    /// Whatever `fill` writes.
    pub fn from_fn(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// A new identifier.
    #[must_use]
    pub fn guid(&self) -> Guid {
        Guid::from_bytes(self.bytes())
    }

    /// A new key's identifier.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        ClientId::of(self.guid())
    }

    /// A new secret's identifier.
    #[must_use]
    pub fn secret_id(&self) -> SecretId {
        SecretId::from_bytes(self.bytes())
    }

    /// 256 random bits for a secret.
    #[must_use]
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0; 32]);
        (self.0)(bytes.as_mut_slice());
        bytes
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0)(&mut bytes);
        bytes
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}
