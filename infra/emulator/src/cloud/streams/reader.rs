//! Reading a table's stream from dynoxide, whose calls block.

use std::fmt;

use dynoxide::{
    Database, DynoxideError,
    actions::{
        describe_stream::{DescribeStreamRequest, StreamDescription},
        get_records::{GetRecordsRequest, Record},
        get_shard_iterator::GetShardIteratorRequest,
    },
};

use super::super::error::CloudError;

/// dynoxide answers with no more than this.
const LARGEST_PAGE: usize = 1000;

/// A stream of the embedded service. dynoxide has one shard per table, always the same.
#[derive(Clone)]
pub(super) struct Reader {
    database: Database,
    stream_arn: String,
    pub(super) shard_id: String,
}

impl Reader {
    /// Finds the stream.
    pub(super) fn open(database: Database, stream_arn: &str) -> Result<Self, CloudError> {
        let mut reader = Self {
            database,
            stream_arn: stream_arn.to_owned(),
            shard_id: String::new(),
        };
        let mut shards = reader.describe().map_err(|e| reader.unreadable(e))?.shards;
        match (shards.pop(), shards.is_empty()) {
            (Some(shard), true) => reader.shard_id = shard.shard_id,
            _ => return Err(reader.unreadable("it does not have exactly one shard")),
        }
        Ok(reader)
    }

    /// At most `limit` records after the sequence number, or from the trim horizon.
    pub(super) async fn page(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Record>, CloudError> {
        self.blocking(move |reader| {
            let kind = if after.is_some() {
                "AFTER_SEQUENCE_NUMBER"
            } else {
                "TRIM_HORIZON"
            };
            let iterator = reader
                .database
                .get_shard_iterator(GetShardIteratorRequest {
                    stream_arn: reader.stream_arn.clone(),
                    shard_id: reader.shard_id.clone(),
                    shard_iterator_type: kind.to_owned(),
                    sequence_number: after,
                })?;
            let Some(shard_iterator) = iterator.shard_iterator else {
                return Ok(Vec::new());
            };
            let limit = Some(limit.min(LARGEST_PAGE));
            reader
                .database
                .get_records(GetRecordsRequest {
                    shard_iterator,
                    limit,
                })
                .map(|answer| answer.records)
        })
        .await
    }

    /// The last record's sequence number, if there is a record.
    pub(super) async fn last(&self) -> Result<Option<String>, CloudError> {
        self.blocking(|reader| Ok(last_of(reader.describe()?)))
            .await
    }

    /// [`Reader::last`], at once.
    pub(super) fn last_now(&self) -> Result<Option<String>, CloudError> {
        self.describe().map(last_of).map_err(|e| self.unreadable(e))
    }

    fn describe(&self) -> Result<StreamDescription, DynoxideError> {
        let request = DescribeStreamRequest {
            stream_arn: self.stream_arn.clone(),
            ..DescribeStreamRequest::default()
        };
        self.database
            .describe_stream(request)
            .map(|answer| answer.stream_description)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, DynoxideError> + Send + 'static,
    ) -> Result<T, CloudError> {
        let reader = self.clone();
        let read = tokio::task::spawn_blocking(move || read(&reader)).await;
        read.map_err(|e| self.unreadable(e))?
            .map_err(|e| self.unreadable(e))
    }

    fn unreadable(&self, error: impl fmt::Display) -> CloudError {
        CloudError::new(format!(
            "cannot read the stream {}: {error}",
            self.stream_arn
        ))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reader").field(&self.stream_arn).finish()
    }
}

/// dynoxide gives an open shard's last record as its end; AWS leaves the end of an open shard out.
fn last_of(description: StreamDescription) -> Option<String> {
    description
        .shards
        .into_iter()
        .filter_map(|shard| shard.sequence_number_range.ending_sequence_number)
        .max()
}
