#![doc = include_str!("../ACCESS_PATTERNS.md")]

mod audit;
mod banks;
mod budget;
mod caller;
mod change;
mod covers;
mod decoy;
mod entry_plan;
mod error;
mod feed;
mod feed_writes;
mod first_use;
mod gates;
mod idempotency;
mod item_keys;
mod key_states;
mod keys;
mod limits;
mod lists;
mod live_keys;
mod look_up;
mod organizations;
mod outbox;
mod reading;
mod record;
mod rehash;
mod secrets;
mod segments;
mod signing_keys;
mod tokens;
mod transaction;
mod users;
mod views;
mod witness;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the operator may everything")]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use aws_config::{SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{Client, config::Builder};
use domain::{
    ids::Guid,
    time::{Clock, Timestamp},
};

pub use self::{
    audit::Chain,
    banks::BankRow,
    caller::{CallerSnapshot, KeyIdentity, TokenCarried},
    error::StoreError,
    gates::Beside,
    idempotency::{IdempotencyRecord, Replayed},
    keys::KeyRow,
    limits::{LimitCount, Limits},
    look_up::{ItemState, LookUpItem},
    rehash::{HashPage, PageEnd, StoredHash},
    signing_keys::{PublishedKey, Signer},
    tokens::TokenToRevoke,
    users::UserRow,
    views::{KeyView, OwnerView},
};
use self::{covers::KnownCovers, feed_writes::FeedWrites, item_keys::ItemKey, witness::Witness};

/// The names of the deployment's tables.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Keys, secrets, users, gates, profiles, lists, published signing keys.
    pub core: String,
    /// The revocation feed.
    pub feed: String,
    /// Audit events and their chain.
    pub audit: String,
}

impl Tables {
    /// The tables that these variables name: `LATCHKEY_CORE_TABLE`, `LATCHKEY_FEED_TABLE`,
    /// `LATCHKEY_AUDIT_TABLE`.
    ///
    /// # Errors
    /// What `variable` says of one that is missing.
    pub fn of<'a, E>(variable: impl Fn(&'static str) -> Result<&'a str, E>) -> Result<Self, E> {
        Ok(Self {
            core: variable("LATCHKEY_CORE_TABLE")?.to_owned(),
            feed: variable("LATCHKEY_FEED_TABLE")?.to_owned(),
            audit: variable("LATCHKEY_AUDIT_TABLE")?.to_owned(),
        })
    }
}

/// The platform's state in `DynamoDB`. Methods are named after access patterns; cheap to clone.
#[derive(Clone)]
pub struct Store {
    client: Client,
    tables: Arc<Tables>,
    clock: Clock,
    new_id: Arc<dyn Fn() -> Guid + Send + Sync>,
    witness: Witness,
    feed_writes: FeedWrites,
    covers: KnownCovers,
    /// Whose authority this store's changes rest on; nothing when they are the operator's.
    behalf: Option<Arc<CallerSnapshot>>,
}

/// One try of one call. A healthy `DynamoDB` answers in milliseconds; a try that hangs is given up
/// so that the next one still fits into the gateway's timeout.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);
/// All tries of one call.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(4);

/// How a call is made that is not tried again: nobody waits for it longer than this.
fn without_retry(deadline: Duration) -> Builder {
    let deadlines = TimeoutConfig::builder()
        .operation_attempt_timeout(deadline)
        .operation_timeout(deadline)
        .build();
    Builder::new()
        .retry_config(RetryConfig::disabled())
        .timeout_config(deadlines)
}

impl Store {
    /// A store over the real client. `new_id` draws random identifiers for feed entries and audit
    /// events.
    pub fn new(
        aws: &SdkConfig,
        tables: Tables,
        clock: Clock,
        new_id: impl Fn() -> Guid + Send + Sync + 'static,
    ) -> Self {
        let witness = Witness::new(clock.clone());
        let config = Builder::from(aws)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(3)
                    .with_initial_backoff(Duration::from_millis(50)),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(OPERATION_TIMEOUT)
                    .build(),
            )
            .interceptor(witness.clone())
            .build();
        Self {
            client: Client::from_conf(config),
            tables: Arc::new(tables),
            clock,
            new_id: Arc::new(new_id),
            witness,
            feed_writes: FeedWrites::default(),
            covers: KnownCovers::default(),
            behalf: None,
        }
    }

    /// This store, its changes holding only while the caller's key works and the caller may do what
    /// it could when it was read.
    #[must_use]
    pub fn on_behalf_of(&self, caller: &CallerSnapshot) -> Self {
        Self {
            behalf: Some(Arc::new(caller.clone())),
            ..self.clone()
        }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn new_id(&self) -> Guid {
        (self.new_id)()
    }

    /// Reads one item of the `core` table, strongly consistent.
    async fn read<T: serde::de::DeserializeOwned>(
        &self,
        at: ItemKey,
    ) -> Result<Option<T>, StoreError> {
        self.read_of(&self.tables.core, at).await
    }

    /// The item of this key in a table.
    async fn read_of<T: serde::de::DeserializeOwned>(
        &self,
        table: &str,
        at: ItemKey,
    ) -> Result<Option<T>, StoreError> {
        let call = self
            .client
            .get_item()
            .table_name(table)
            .set_key(Some(at.into_key()))
            .consistent_read(true);
        let answer = call.send().await.map_err(StoreError::unavailable)?;
        answer.item.map(record::read).transpose()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({:?})", self.tables)
    }
}
