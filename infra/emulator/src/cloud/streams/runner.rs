//! The loop behind one mapping: read, filter, invoke until it succeeds, remember.

use std::{sync::Arc, time::Duration};

use dynoxide::actions::get_records::Record;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    super::{document::Document, error::CloudError},
    dead_letters::{Condition, DeadLetters},
    event,
    mapping::Mapping,
    permission::{POLLING, Reading},
    position::{StreamPosition, StreamPositions},
    reader::Reader,
};

/// AWS polls a shard four times a second.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The first and the longest pause before a batch is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

pub(super) struct Runner<F> {
    pub(super) reader: Reader,
    pub(super) reading: Reading,
    pub(super) positions: Arc<Document<StreamPositions>>,
    pub(super) mapping: Mapping,
    pub(super) position: StreamPosition,
    pub(super) letters: DeadLetters,
    pub(super) invoke: F,
    /// Told the last record done with.
    pub(super) report: watch::Sender<Option<String>>,
    /// True once the stream is to be consumed to its end and no further.
    pub(super) drain: watch::Receiver<bool>,
}

/// What became of one round.
enum Round {
    /// There was nothing to read.
    Idle,
    /// Some records were consumed.
    Advanced,
    /// Some, or none, were consumed, and the next one was refused.
    Failed(String),
}

impl<F, R> Runner<F>
where
    F: Fn(Value) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Value, String>> + Send + 'static,
{
    /// Runs until it is told to drain and has done so, or is aborted.
    pub(super) async fn run(mut self) {
        let mut pause = PAUSES.0;
        loop {
            match self
                .round()
                .await
                .unwrap_or_else(|e| Round::Failed(e.to_string()))
            {
                Round::Advanced => pause = PAUSES.0,
                Round::Idle if *self.drain.borrow() => return,
                // Woken early by the wish to drain; a sender that is gone has aborted this task.
                Round::Idle => drop(timeout(POLL_INTERVAL, self.drain.changed()).await),
                Round::Failed(error) => {
                    tracing::warn!(
                        mapping = self.mapping.name,
                        %error,
                        ?pause,
                        "a batch failed and will be tried again"
                    );
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    async fn round(&mut self) -> Result<Round, CloudError> {
        self.reading.check(&POLLING)?;
        let page = self
            .reader
            .page(self.position.after.clone(), self.mapping.batch_size)
            .await?;
        let Some(last) = page
            .last()
            .map(|record| record.dynamodb.sequence_number.clone())
        else {
            return Ok(Round::Idle);
        };
        if let Some(before) = self.letters.too_old(&self.mapping, &page).checked_sub(1) {
            return self.give_up(&page[..=before], Condition::RecordAgeExceeded, 0);
        }
        let mut batch = Vec::with_capacity(page.len());
        for record in &page {
            let event = event::record(record, &self.mapping.stream_arn)?;
            if self.mapping.wants(&event) {
                batch.push(event);
            }
        }
        if batch.is_empty() {
            self.advance(last)?;
            return Ok(Round::Advanced);
        }
        let answer = match self.call(json!({"Records": batch})).await {
            Ok(answer) => answer,
            Err(error) => return self.refused(&page, error),
        };
        match self.first_refused(&answer, &page) {
            Err(error) => self.refused(&page, error.to_string()),
            Ok(None) => self.advance(last).map(|()| Round::Advanced),
            Ok(Some(refused)) => {
                if let Some(before) = refused.checked_sub(1) {
                    self.advance(page[before].dynamodb.sequence_number.clone())?;
                }
                let error = format!(
                    "the function reported {}",
                    page[refused].dynamodb.sequence_number
                );
                self.refused(&page[refused..], error)
            }
        }
    }

    /// These records failed: they come again, or that was the last try.
    fn refused(&mut self, records: &[Record], error: String) -> Result<Round, CloudError> {
        let tries = records
            .first()
            .and_then(|first| self.letters.exhausted(&self.mapping, first));
        match tries {
            Some(tries) => self.give_up(records, Condition::RetryAttemptsExhausted, tries),
            None => Ok(Round::Failed(error)),
        }
    }

    /// Goes on behind these records, once the queue knows of those that the function was to get.
    fn give_up(
        &mut self,
        records: &[Record],
        condition: Condition,
        tries: u64,
    ) -> Result<Round, CloudError> {
        let mut wanted = Vec::new();
        for record in records {
            if self
                .mapping
                .wants(&event::record(record, &self.mapping.stream_arn)?)
            {
                wanted.push(record);
            }
        }
        self.letters.write(
            &self.mapping,
            &self.reader.shard_id,
            &wanted,
            condition,
            tries,
        )?;
        let last = records
            .last()
            .map(|record| record.dynamodb.sequence_number.clone());
        last.map_or(Ok(()), |last| self.advance(last))?;
        Ok(Round::Advanced)
    }

    /// Invokes in a task of its own, so that a panic there is a failed batch and not the end of the
    /// mapping.
    async fn call(&self, event: Value) -> Result<Value, String> {
        let call = tokio::spawn((self.invoke)(event));
        call.await
            .unwrap_or_else(|e| Err(format!("the function did not return: {e}")))
    }

    /// The place in the page of the first record that a `ReportBatchItemFailures` function wants
    /// again.
    fn first_refused(&self, answer: &Value, page: &[Record]) -> Result<Option<usize>, CloudError> {
        let Some(failures) = answer["batchItemFailures"]
            .as_array()
            .filter(|_| self.mapping.reports_item_failures)
        else {
            return Ok(None);
        };
        let place = |failure: &Value| {
            let number = failure["itemIdentifier"].as_str()?;
            page.iter()
                .position(|record| record.dynamodb.sequence_number == number)
        };
        let places: Option<Vec<usize>> = failures.iter().map(place).collect();
        // AWS treats an identifier that is not one of the batch's as a failure of the whole batch.
        let places = places.ok_or_else(|| {
            CloudError::new("the function reported a record that it was not given")
        })?;
        Ok(places.into_iter().min())
    }

    fn advance(&mut self, to: String) -> Result<(), CloudError> {
        let next = StreamPosition {
            stream_arn: self.position.stream_arn.clone(),
            after: Some(to.clone()),
        };
        self.positions.change(|positions| {
            positions.insert(self.mapping.name.clone(), next.clone());
            Ok::<_, CloudError>(())
        })?;
        self.position = next;
        self.report.send_replace(Some(to));
        Ok(())
    }
}
