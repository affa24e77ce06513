//! Records as Lambda hands them to a function.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>

use dynoxide::actions::get_records::Record;
use serde_json::Value;

use super::super::{arn::REGION, error::CloudError};

/// One element of an event's `Records`.
pub(super) fn record(record: &Record, stream_arn: &str) -> Result<Value, CloudError> {
    let mut event = serde_json::to_value(record)
        .map_err(|e| CloudError::new(format!("cannot write a record of {stream_arn}: {e}")))?;
    event["awsRegion"] = REGION.into();
    event["eventSourceARN"] = stream_arn.into();
    // Lambda writes whole seconds, as an integer.
    let created = &mut event["dynamodb"]["ApproximateCreationDateTime"];
    if let Some(seconds) = created
        .as_f64()
        .and_then(|seconds| format!("{seconds:.0}").parse::<i64>().ok())
    {
        *created = seconds.into();
    }
    Ok(event)
}
