//! The cloud services that Latchkey needs, embedded: `DynamoDB`, KMS and Secrets Manager on
//! loopback; and, to be looked at alone, the control plane of API Gateway and `CloudWatch` Logs.
//!
//! The functions reach them with the unmodified AWS SDK clients through endpoint URLs, so that
//! nothing in a function knows whether it runs on Lambda, in this process or under
//! `cargo lambda watch`. `DynamoDB` is dynoxide; KMS and Secrets Manager are one small door of our
//! own, because no library gives signatures that a third party verifies.
//!
//! Differs from AWS: nothing is throttled (what permissions leave out stands in [`access`]), and an
//! item's TTL acts when [`Cloud::sweep_ttl`] runs. With [`Storage::Memory`] `DynamoDB` follows the
//! given clock; with [`Storage::Directory`] it reads the machine's.

pub mod access;
mod api_gateway;
mod arn;
mod aws_json;
mod directory;
mod dispatch;
mod document;
mod error;
mod kms;
mod logs;
pub mod provision;
mod random;
mod secrets;
mod server;
mod sqs;
mod state;
pub mod streams;
mod tables;
mod ttl;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use domain::time::Clock;
use dynoxide::{Database, storage_backend::Clock as DatabaseClock};
use sam::template::Description;
use tokio::task::JoinHandle;

use self::{
    access::authority::{Authority, ROOT},
    api_gateway::ControlPlane,
    directory::Directory,
    document::Document,
    logs::groups::Logs,
    server::Server,
    state::Api,
    streams::position::StreamPositions,
};
pub use self::{
    arn::{ACCOUNT, REGION},
    error::CloudError,
};
use crate::gateway::Sink;

/// Where tables, keys and secrets are kept.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Nowhere: everything is gone when the [`Cloud`] is.
    Memory,
    /// In files under this directory, which is made if it is missing and held by one process at a
    /// time.
    Directory(PathBuf),
}

/// The loopback ports to serve on; 0, the default, takes any free one.
///
/// Fixed ports let an exported [`Cloud::environment`] outlive a restart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// `DynamoDB`'s.
    pub dynamodb: u16,
    /// The one of KMS and Secrets Manager.
    pub api: u16,
}

/// The running services. Dropping it stops them too, but only [`Cloud::stop`] waits until they
/// have.
pub struct Cloud {
    database: Database,
    api: Arc<Api>,
    positions: Arc<Document<StreamPositions>>,
    dynamodb_server: Server,
    api_server: Server,
    sweeper: Option<JoinHandle<()>>,
    /// Last, so that the directory is free for the next process only when nothing writes to it any
    /// more.
    _directory: Option<Directory>,
}

impl Cloud {
    /// Opens what is stored and serves it.
    ///
    /// # Errors
    /// One sentence: the directory is unusable or another process holds it, a file in it is
    /// damaged, or a port is taken.
    pub async fn start(storage: Storage, ports: Ports, clock: Clock) -> Result<Self, CloudError> {
        let directory = match storage {
            Storage::Memory => None,
            Storage::Directory(path) => Some(Directory::hold(path)?),
        };
        let database = match &directory {
            None => Database::memory_with_clock(Arc::new(Ticking(Arc::clone(&clock)))),
            Some(directory) => tables::open(&directory.database()?),
        };
        let database =
            database.map_err(|e| CloudError::new(format!("cannot open the tables: {e}")))?;
        let services = Document::open(directory.as_ref().map(|d| d.file("services.json")))?;
        let positions = Document::open(directory.as_ref().map(|d| d.file("streams.json")))?;
        let authority = Arc::new(Authority::default());
        let api = Arc::new(Api {
            services,
            clock,
            authority: Arc::clone(&authority),
            logs: Logs::default(),
            control: OnceLock::new(),
        });
        Ok(Self {
            dynamodb_server: server::dynamodb(ports.dynamodb, database.clone(), authority).await?,
            api_server: server::api(ports.api, Arc::clone(&api)).await?,
            database,
            api,
            positions: Arc::new(positions),
            sweeper: None,
            _directory: directory,
        })
    }

    /// Shows what a template made to those who ask API Gateway and `CloudWatch` Logs. Only the
    /// first template counts.
    pub fn show(&self, description: &Description) {
        let now = (self.api.clock)();
        self.api
            .logs
            .declare(&description.log_groups, &description.stack_name, now);
        let _: &ControlPlane = self
            .api
            .control
            .get_or_init(|| ControlPlane::of(description, now));
    }

    /// Takes the lines of the access log of a stage that writes to this log group.
    #[must_use]
    pub fn log_sink(&self, group: &str) -> Sink {
        let (api, group) = (Arc::clone(&self.api), group.to_owned());
        Arc::new(move |at, line| api.logs.put(&group, at, &line))
    }

    /// What another process exports to reach these services with unmodified SDKs.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.api_address())),
            (
                "AWS_ENDPOINT_URL_DYNAMODB",
                format!("http://{}", self.dynamodb_address()),
            ),
            ("AWS_REGION", REGION.into()),
            // The Python SDK and the command line read this one instead.
            ("AWS_DEFAULT_REGION", REGION.into()),
            ("AWS_ACCESS_KEY_ID", ROOT.0.into()),
            ("AWS_SECRET_ACCESS_KEY", ROOT.1.into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// [`Cloud::environment`] with a function's own access key in the root's place, once the
    /// policies are in force.
    ///
    /// # Errors
    /// There is no such function.
    pub fn environment_of(&self, function: &str) -> Result<BTreeMap<String, String>, CloudError> {
        let key = self.authority().key_of(function);
        let key = key.ok_or_else(|| CloudError::new(format!("there is no function {function}")))?;
        let mut environment = self.environment();
        environment.insert("AWS_ACCESS_KEY_ID".to_owned(), key.id);
        environment.insert("AWS_SECRET_ACCESS_KEY".to_owned(), key.secret);
        Ok(environment)
    }

    /// The account's access keys and policies.
    #[must_use]
    pub fn authority(&self) -> &Arc<Authority> {
        &self.api.authority
    }

    /// Where `DynamoDB` listens.
    #[must_use]
    pub fn dynamodb_address(&self) -> SocketAddr {
        self.dynamodb_server.address
    }

    /// Where KMS and Secrets Manager listen.
    #[must_use]
    pub fn api_address(&self) -> SocketAddr {
        self.api_server.address
    }

    /// Lets running requests finish, for at most five seconds, and closes everything.
    /// [`streams::EventSource`]s are drained before.
    pub async fn stop(mut self) {
        if let Some(sweeper) = self.sweeper.take() {
            sweeper.abort();
        }
        tokio::join!(self.dynamodb_server.stop(), self.api_server.stop());
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud")
            .field("dynamodb", &self.dynamodb_address())
            .field("api", &self.api_address())
            .finish_non_exhaustive()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.sweeper {
            sweeper.abort();
        }
    }
}

/// The given clock, as dynoxide reads one.
struct Ticking(Clock);

impl DatabaseClock for Ticking {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from((self.0)().seconds()).unwrap_or_default()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        aws_json::epoch_seconds((self.0)())
    }
}
