//! What every adapter reads an event into, and the parts that several of them share.

use std::fmt;

use domain::time::Timestamp;
use guard::Request;

/// What an event asks, and how it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) request: Request,
    pub(crate) form: Form,
}

/// The form of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An IAM policy over this resource.
    Policy {
        /// The whole stage: `arn:…:<api>/<stage>/*`. A policy that named the one path called would
        /// deny the next path were its result ever cached, and one wider would reach other APIs.
        resource: String,
    },
    /// `{isAuthorized, context}` (HTTP APIs).
    Simple,
}

/// An event that no adapter reads. Holds no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownEvent(pub(super) &'static str);

impl fmt::Display for UnknownEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Everything of the stage that a method or route ARN lies in:
/// `arn:<partition>:execute-api:<region>:<account>:<api>/<stage>/*`.
pub(super) fn stage_of(arn: &str) -> Result<String, UnknownEvent> {
    let parts: Vec<&str> = arn.splitn(3, '/').collect();
    match parts.as_slice() {
        [api, stage, _] if is_api(api) && !stage.is_empty() && !stage.contains(['*', '?']) => {
            Ok(format!("{api}/{stage}/*"))
        }
        _ => Err(UnknownEvent("the event's ARN is not of an API's stage")),
    }
}

/// The path that a method or route ARN says was called, without the stage:
/// `arn:…:<api>/<stage>/<method>/<path>`.
pub(super) fn path_of(arn: &str) -> Option<String> {
    arn.splitn(4, '/').nth(3).map(|path| format!("/{path}"))
}

fn is_api(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    let [arn, partition, service, region, account, api] = parts.as_slice() else {
        return false;
    };
    let named = [partition, region, account, api]
        .into_iter()
        .all(|part| !part.is_empty() && !part.contains(['*', '?']));
    *arn == "arn" && *service == "execute-api" && named
}

/// `requestTimeEpoch` and `timeEpoch`: milliseconds.
pub(super) fn time(epoch: Option<i64>) -> Option<Timestamp> {
    epoch
        .filter(|millis| *millis > 0)
        .map(Timestamp::from_millis)
}
