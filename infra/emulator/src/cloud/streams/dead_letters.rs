//! What a mapping gives up, and the letter that Lambda writes about it: where in the stream it
//! stood, not what it said.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>

use std::sync::Arc;

use domain::time::Timestamp;
use dynoxide::actions::get_records::Record;
use serde_json::json;

use super::{
    super::{
        arn::{ACCOUNT, REGION},
        error::CloudError,
        random, sqs,
        state::Api,
    },
    mapping::Mapping,
};

/// Why records were given up, in Lambda's words.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition {
    RecordAgeExceeded,
    RetryAttemptsExhausted,
}

/// Where a mapping's letters go, and how long it holds on.
pub(super) struct DeadLetters {
    api: Arc<Api>,
    /// The first record of the batch that failed last, and how often it did in a row.
    failing: Option<(String, u64)>,
}

impl DeadLetters {
    /// Lambda refuses a mapping whose queue is not there.
    pub(super) fn of(api: Arc<Api>, mapping: &Mapping) -> Result<Self, CloudError> {
        match &mapping.dead_letters {
            Some(arn) if !sqs::exists(&api, arn) => Err(CloudError::new(format!(
                "event source {}: there is no queue {arn}",
                mapping.name
            ))),
            _ => Ok(Self { api, failing: None }),
        }
    }

    /// How many of a page's first records are too old to be tried.
    pub(super) fn too_old(&self, mapping: &Mapping, page: &[Record]) -> usize {
        let Some(limit) = mapping.maximum_age else {
            return 0;
        };
        let oldest = (self.api.clock)()
            .millis()
            .saturating_sub(limit.saturating_mul(1000));
        page.iter()
            .take_while(|record| created(record).millis() < oldest)
            .count()
    }

    /// Notes another failure; the number of tries, once there were too many.
    pub(super) fn exhausted(&mut self, mapping: &Mapping, first: &Record) -> Option<u64> {
        let number = &first.dynamodb.sequence_number;
        let before = self
            .failing
            .take()
            .filter(|(failing, _)| failing == number)
            .map_or(0, |(_, tries)| tries);
        let tries = before + 1;
        self.failing = Some((number.clone(), tries));
        mapping
            .maximum_attempts
            .filter(|limit| tries > *limit)
            .map(|_| tries)
    }

    /// Writes the letter about records that the function was to get, if there is anywhere to write
    /// to.
    pub(super) fn write(
        &self,
        mapping: &Mapping,
        shard_id: &str,
        records: &[&Record],
        condition: Condition,
        tries: u64,
    ) -> Result<(), CloudError> {
        let ([first, ..], [.., last]) = (records, records) else {
            return Ok(());
        };
        let count = records.len();
        tracing::error!(
            mapping = mapping.name,
            ?condition,
            count,
            "records of a stream were given up"
        );
        let Some(queue) = &mapping.dead_letters else {
            return Ok(());
        };
        let function = mapping.name.split('.').next().unwrap_or_default();
        let mut letter = json!({
            "requestContext": {
                "requestId": random::uuid().map_err(|_| CloudError::new("no random bytes"))?,
                "functionArn": format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"),
                "condition": format!("{condition:?}"),
                "approximateInvokeCount": tries,
            },
            "version": "1.0",
            "timestamp": (self.api.clock)().to_string(),
            "DDBStreamBatchInfo": {
                "shardId": shard_id,
                "startSequenceNumber": first.dynamodb.sequence_number,
                "endSequenceNumber": last.dynamodb.sequence_number,
                "approximateArrivalOfFirstRecord": arrival(first),
                "approximateArrivalOfLastRecord": arrival(last),
                "batchSize": count,
                "streamArn": mapping.stream_arn,
            },
        });
        if tries > 0 {
            letter["responseContext"] = json!({
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            });
        }
        sqs::send(&self.api, queue, letter.to_string()).map_err(CloudError::from)
    }
}

fn created(record: &Record) -> Timestamp {
    let seconds = record.dynamodb.approximate_creation_date_time;
    // Whole seconds are what Lambda has as well.
    Timestamp::from_seconds(format!("{seconds:.0}").parse().unwrap_or_default())
}

fn arrival(record: &Record) -> String {
    created(record).to_string().replace(".000Z", "Z")
}
