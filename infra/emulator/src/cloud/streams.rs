//! Table streams feeding functions, as Lambda's event source mappings do.
//!
//! Batches are delivered in order and at least once: a failed batch is tried again, with growing
//! pauses, until it succeeds or, where the mapping says so, is given up for its age or its number
//! of tries, of which the mapping's queue is told. The position is kept in `streams.json`, by
//! mapping, after each batch; a crash in between delivers that batch again. A table that was
//! deleted and made again under its name is read from the start of what is recorded.
//!
//! Differs from AWS: records do not leave a stream by themselves after a day, one shard per table,
//! at most 1,000 records in a batch and no bound on its bytes, no batching window, and a batch is
//! never split.

mod dead_letters;
mod event;
mod filter;
mod mapping;
mod permission;
pub(super) mod position;
mod reader;
mod runner;

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

pub use self::mapping::{Mapping, StartingPosition};
use self::{
    dead_letters::DeadLetters,
    permission::{POLLING, Reading},
    position::StreamPosition,
    reader::Reader,
    runner::Runner,
};
use super::{Cloud, arn::REGION, error::CloudError};

/// A running mapping. Dropping it stops it where it stands; [`EventSource::drain_and_stop`] first
/// lets it finish.
#[derive(Debug)]
pub struct EventSource {
    name: String,
    reader: Reader,
    done: watch::Receiver<Option<String>>,
    draining: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl EventSource {
    /// Starts delivering. `invoke` is given a Lambda event and answers with the function's
    /// response, or with its error.
    ///
    /// # Errors
    /// The table of the mapping has no stream, or the position cannot be saved.
    pub fn start<F, R>(cloud: &Cloud, mapping: Mapping, invoke: F) -> Result<Self, CloudError>
    where
        F: Fn(Value) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, String>> + Send + 'static,
    {
        let reading = Reading::of(cloud, &mapping);
        reading.check(&[
            "dynamodb:DescribeStream",
            "dynamodb:ListStreams",
            POLLING[0],
            POLLING[1],
        ])?;
        reading.check_dead_letters(mapping.dead_letters.as_deref())?;
        let reader = Reader::open(cloud.database.clone(), &mapping.stream_arn)?;
        let position = starting_position(cloud, &mapping, &reader)?;
        let letters = DeadLetters::of(Arc::clone(&cloud.api), &mapping)?;
        let (report, done) = watch::channel(position.after.clone());
        let (draining, drain) = watch::channel(false);
        let name = mapping.name.clone();
        let runner = Runner {
            reader: reader.clone(),
            reading,
            positions: Arc::clone(&cloud.positions),
            mapping,
            position,
            letters,
            invoke,
            report,
            drain,
        };
        Ok(Self {
            name,
            reader,
            done,
            draining,
            task: tokio::spawn(runner.run()),
        })
    }

    /// Waits until everything that is in the stream now has been consumed.
    ///
    /// # Errors
    /// It has not been `within` that time.
    pub async fn drain(&self, within: Duration) -> Result<(), CloudError> {
        timeout(within, self.wait_until_caught_up())
            .await
            .unwrap_or_else(|_| {
                Err(CloudError::new(format!(
                    "the event source {} did not catch up in {within:?}",
                    self.name
                )))
            })
    }

    async fn wait_until_caught_up(&self) -> Result<(), CloudError> {
        let Some(last) = self.reader.last().await? else {
            return Ok(());
        };
        let mut done = self.done.clone();
        // Sequence numbers have one length, so they sort as text.
        let reached = done
            .wait_for(|done| done.as_ref().is_some_and(|done| *done >= last))
            .await;
        let stopped = |_| CloudError::new(format!("the event source {} has stopped", self.name));
        reached.map(drop).map_err(stopped)
    }

    /// Consumes what is left in the stream, then stops.
    ///
    /// # Errors
    /// That took longer than `within`. It is stopped all the same, and goes on from there at the
    /// next start.
    pub async fn drain_and_stop(mut self, within: Duration) -> Result<(), CloudError> {
        self.draining.send_replace(true);
        match timeout(within, &mut self.task).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(CloudError::new(format!(
                "the event source {} failed: {e}",
                self.name
            ))),
            Err(_) => Err(CloudError::new(format!(
                "the event source {} was stopped before it had consumed its stream; it goes on at \
                 the next start",
                self.name
            ))),
        }
    }
}

impl Drop for EventSource {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// dynoxide's ARNs with the region that everything else here has; dynoxide takes either.
pub(super) fn in_region(arn: &str) -> String {
    arn.replacen(
        "arn:aws:dynamodb:dynoxide:",
        &format!("arn:aws:dynamodb:{REGION}:"),
        1,
    )
}

/// Where the mapping stood, or where it starts. The start is saved too, so that `LATEST` means the
/// mapping's first start ever.
fn starting_position(
    cloud: &Cloud,
    mapping: &Mapping,
    reader: &Reader,
) -> Result<StreamPosition, CloudError> {
    let last = reader.last_now()?;
    cloud.positions.change(|positions| {
        let known = positions
            .get(&mapping.name)
            .filter(|known| known.stream_arn == mapping.stream_arn);
        let position = known.cloned().unwrap_or_else(|| StreamPosition {
            stream_arn: mapping.stream_arn.clone(),
            after: match mapping.starting_position {
                StartingPosition::TrimHorizon => None,
                StartingPosition::Latest => last,
            },
        });
        positions.insert(mapping.name.clone(), position.clone());
        Ok(position)
    })
}
