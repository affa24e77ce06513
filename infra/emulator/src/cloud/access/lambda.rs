//! Checks of what AWS does in a function's name: writing its logs, reading its streams, and sending
//! its dead letters.

use sam::iam::AccessDenied;

use super::{
    api,
    authority::{Authority, Caller},
    calls::Call,
    dynamodb,
};

impl Authority {
    /// Whether a function may do what AWS does in its name: writing its logs, reading its streams.
    ///
    /// # Errors
    /// The refusal.
    pub fn check(&self, function: &str, action: &str, resource: &str) -> Result<(), AccessDenied> {
        self.permit(
            &Caller::Function(function.to_owned()),
            &[Call::on(action, resource)],
        )
    }

    /// Whether a function may read this stream by these actions, and open what it holds.
    pub(in super::super) fn check_stream(
        &self,
        function: &str,
        actions: &[&str],
        stream: &str,
    ) -> Result<(), AccessDenied> {
        let rules = self.rules();
        let mut calls: Vec<Call> = actions
            .iter()
            .map(|action| Call::on(action, stream))
            .collect();
        calls.extend(
            rules
                .table_of_stream(stream)
                .and_then(|table| dynamodb::opening(&rules, &table)),
        );
        self.permit(&Caller::Function(function.to_owned()), &calls)
    }

    /// Whether a function may send to this queue, and seal what it sends.
    pub(in super::super) fn check_queue(
        &self,
        function: &str,
        queue: &str,
    ) -> Result<(), AccessDenied> {
        self.permit(
            &Caller::Function(function.to_owned()),
            &api::sending(&self.rules(), queue),
        )
    }
}
