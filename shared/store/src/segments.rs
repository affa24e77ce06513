//! Segments of the revocation feed (`domain::feed::Rules`, Segments). Only the compactor may put
//! them: a false one would hide revocations from cold readers.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::{put_item::PutItemError, query::QueryOutput},
    primitives::Blob,
    types::AttributeValue,
};
use domain::{
    feed::{Exchange, Hints, Rules, Segment, SegmentPage, SegmentQuery},
    time::Timestamp,
};

use crate::{
    Store,
    error::StoreError,
    item_keys::{self, ItemKey},
    record, without_retry,
    witness::Witness,
};

const RULES: Rules = Rules::STANDARD;

/// The version of the form in which segments are stored.
const FORM: &str = "1";
const UNTIL: &str = "until";
const HINTS: &str = "h";
const WHOLE: &str = "x";
const VERSION: &str = "v";

fn item(segment: &Segment) -> Result<record::Item, StoreError> {
    let whole = segment.encode_whole();
    let whole = whole.map_err(|problem| StoreError::Corrupt(problem.to_owned()))?;
    let mut item = item_keys::segment(segment.from).into_key();
    item.insert(UNTIL.into(), AttributeValue::S(segment.until.to_string()));
    item.insert(
        HINTS.into(),
        AttributeValue::B(Blob::new(segment.hints.bytes())),
    );
    item.insert(WHOLE.into(), AttributeValue::B(Blob::new(whole)));
    item.insert(VERSION.into(), AttributeValue::N(FORM.into()));
    Ok(record::sweep_after(
        item,
        RULES.segment_expires(segment.until),
    ))
}

fn read(item: &record::Item) -> Result<Segment, StoreError> {
    let key = ItemKey::of(item);
    let corrupt = |problem| StoreError::Corrupt(format!("{key:?}: {problem}"));
    let bytes = |name| {
        let value = item.get(name).and_then(|value| value.as_b().ok());
        value
            .map(AsRef::as_ref)
            .ok_or_else(|| corrupt("an attribute is missing"))
    };
    let is_known = item.get(VERSION).and_then(|value| value.as_n().ok());
    if is_known.is_none_or(|version| version != FORM) {
        return Err(corrupt("a form that this version does not know"));
    }
    Ok(Segment {
        from: key.sk.parse().map_err(corrupt)?,
        until: read_until(item).map_err(corrupt)?,
        hints: Hints::from_bytes(bytes(HINTS)?).map_err(corrupt)?,
        whole: Segment::decode_whole(bytes(WHOLE)?).map_err(corrupt)?,
    })
}

fn read_until(item: &record::Item) -> Result<Timestamp, &'static str> {
    let until = item.get(UNTIL).and_then(|value| value.as_s().ok());
    until.ok_or("it has no end")?.parse()
}

impl Store {
    /// Where the newest segment ends, if there is one that can be read, and the request that said
    /// so; strongly consistent.
    ///
    /// # Errors
    /// What any read can meet, a `Date` missing from the answer included.
    pub async fn newest_segment_end(&self) -> Result<(Option<Timestamp>, Exchange), StoreError> {
        let witness = Witness::new(self.clock.clone());
        let newest = self
            .client
            .query()
            .table_name(&self.tables.feed)
            .consistent_read(true)
            .key_condition_expression("PK = :segments")
            .expression_attribute_values(":segments", AttributeValue::S(item_keys::SEGMENTS.into()))
            .projection_expression("PK, SK, #until")
            .expression_attribute_names("#until", UNTIL)
            .scan_index_forward(false)
            .limit(1)
            .customize()
            .interceptor(witness.clone())
            .send()
            .await
            .map_err(StoreError::unavailable)?;
        let end = newest.items().first().and_then(|item| {
            let end = read_until(item);
            if let Err(problem) = end {
                let key = ItemKey::of(item);
                tracing::warn!(?key, problem, "the newest segment of the feed was not read");
            }
            end.ok()
        });
        Ok((end, witness.exchange_of_answer()?))
    }

    /// Stores a segment. Says whether it did: another compactor may have stored one that begins
    /// with it.
    ///
    /// # Errors
    /// What any write can meet.
    pub async fn create_segment(&self, segment: &Segment) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.feed)
            .set_item(Some(item(segment)?))
            .condition_expression("attribute_not_exists(PK)")
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(StoreError::unavailable(error)),
        }
    }

    /// One page of segments, oldest first; eventually consistent, within `deadline` and without a
    /// retry of its own. A segment that cannot be read ends the page, and there are no more: the
    /// entries behind it are read instead.
    ///
    /// # Errors
    /// What any read can meet, a `Date` missing from the answer included.
    pub async fn read_segments(
        &self,
        query: &SegmentQuery,
        deadline: Duration,
    ) -> Result<SegmentPage, StoreError> {
        let late = |_| {
            StoreError::Unavailable(format!(
                "segments of the revocation feed were not read within {deadline:?}"
            ))
        };
        let witness = Witness::new(self.clock.clone());
        let sent = self
            .client
            .query()
            .table_name(&self.tables.feed)
            .key_condition_expression("PK = :segments AND SK >= :from")
            .expression_attribute_values(":segments", AttributeValue::S(item_keys::SEGMENTS.into()))
            .expression_attribute_values(":from", AttributeValue::S(query.from.to_string()))
            .customize()
            .interceptor(witness.clone())
            .config_override(without_retry(deadline));
        let answer: QueryOutput = tokio::time::timeout(deadline, sent.send())
            .await
            .map_err(late)?
            .map_err(StoreError::unavailable)?;
        let exchange = witness.exchange_of_answer()?;
        let (mut segments, mut has_more) = (Vec::new(), answer.last_evaluated_key.is_some());
        for item in answer.items() {
            match read(item) {
                Ok(segment) => segments.push(segment),
                Err(error) => {
                    tracing::warn!(cause = %error, "a segment of the revocation feed was not read");
                    has_more = false;
                    break;
                }
            }
        }
        Ok(SegmentPage {
            segments,
            has_more,
            exchange,
        })
    }
}
