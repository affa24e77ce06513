//! How far each mapping has read, as it is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where each mapping stands, by its name.
pub(in super::super) type StreamPositions = BTreeMap<String, StreamPosition>;

/// How far one mapping has read one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct StreamPosition {
    pub(super) stream_arn: String,
    /// The sequence number of the last record done with; none at the trim horizon.
    pub(super) after: Option<String>,
}
