//! A queue as it is kept, and its messages.

use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A queue as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct Queue {
    pub(super) created: Timestamp,
    /// In seconds.
    pub(super) visibility: i64,
    /// In seconds.
    pub(super) retention: i64,
    pub(super) messages: Vec<Message>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) sent: Timestamp,
    /// From when on it may be received.
    pub(super) visible: Timestamp,
    pub(super) received: u64,
    /// Of the last time that it was received.
    pub(super) receipt: Option<String>,
}

impl Queue {
    pub(super) fn forgets(&self, message: &Message, now: Timestamp) -> bool {
        after(message.sent, self.retention) <= now
    }
}

/// That many seconds later.
pub(super) fn after(moment: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_millis(moment.millis().saturating_add(seconds.saturating_mul(1000)))
}
