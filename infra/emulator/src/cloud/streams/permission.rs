//! The permissions that a mapping's function needs, since Lambda reads the stream in the function's
//! name.

use std::sync::Arc;

use super::{
    super::{Cloud, access::authority::Authority, error::CloudError},
    mapping::Mapping,
};

/// What Lambda does in the function's name at each poll.
pub(super) const POLLING: [&str; 2] = ["dynamodb:GetShardIterator", "dynamodb:GetRecords"];

/// In whose name a stream is read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    authority: Arc<Authority>,
    function: Option<String>,
    stream_arn: String,
}

impl Reading {
    pub(super) fn of(cloud: &Cloud, mapping: &Mapping) -> Self {
        let (function, stream_arn) = (mapping.function.clone(), mapping.stream_arn.clone());
        Self {
            authority: Arc::clone(cloud.authority()),
            function,
            stream_arn,
        }
    }

    /// Lambda refuses a mapping whose function's role may not do all of these, and stops polling
    /// once it may not.
    pub(super) fn check(&self, actions: &[&str]) -> Result<(), CloudError> {
        let Some(function) = &self.function else {
            return Ok(());
        };
        let decision = self
            .authority
            .check_stream(function, actions, &self.stream_arn);
        decision.map_err(|aws_error| CloudError::new(aws_error.to_string()))
    }

    /// Lambda refuses a mapping whose function's role may not write what is given up.
    pub(super) fn check_dead_letters(&self, queue: Option<&str>) -> Result<(), CloudError> {
        let (Some(function), Some(queue)) = (&self.function, queue) else {
            return Ok(());
        };
        let decision = self.authority.check_queue(function, queue);
        decision.map_err(|aws_error| CloudError::new(aws_error.to_string()))
    }
}
