//! What the newest change of an item has to say to the feed, until its entries are published or
//! readers look the item up (`change.rs`).

use std::fmt;

use domain::feed::{decode, encode};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use crate::feed::FeedChange;

/// The statements of one change, without their times. Stored as a list of binary values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox(Vec<FeedChange>);

impl Outbox {
    /// The statements of one change.
    pub(crate) fn of(feed_changes: &[FeedChange]) -> Self {
        Self(feed_changes.to_vec())
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn statements(&self) -> &[FeedChange] {
        &self.0
    }
}

impl Serialize for Outbox {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let statements = self.0.iter();
        serializer.collect_seq(statements.map(|(subject, effect)| Binary(encode(subject, *effect))))
    }
}

impl<'de> Deserialize<'de> for Outbox {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let statements = Vec::<Binary>::deserialize(deserializer)?.into_iter();
        statements
            .map(|Binary(bytes)| decode(&bytes))
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(D::Error::custom)
    }
}

struct Binary(Vec<u8>);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(Bytes).map(Self)
    }
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a binary value")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}
