//! The error type of the embedded services.

use std::fmt;

/// Why the services, or something in them, cannot be had: one sentence for the person at the
/// terminal.
#[derive(Debug)]
pub struct CloudError(String);

impl CloudError {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CloudError {}
