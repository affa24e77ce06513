//! The stage's access log: one line a call, `AccessLogSetting.Format` with its `$context` variables
//! put in.
//!
//! As on AWS, a variable that has no value becomes `-`, and nothing is escaped.

use std::{fmt, sync::Arc};

use sam::template::RestApi;
use serde_json::{Map, Value, json};

use super::{
    call::Call,
    gateway_response::{self, GatewayError},
};

/// What a variable without a value becomes.
const ABSENT: &str = "-";

/// Takes a line and the time of its call, in milliseconds since 1970.
pub type Sink = Arc<dyn Fn(i64, String) + Send + Sync>;

/// Where lines go, if anywhere.
#[derive(Clone, Default)]
pub struct AccessLog(Option<Sink>);

impl AccessLog {
    /// Gives every line to `sink`.
    #[must_use]
    pub fn to(sink: Sink) -> Self {
        Self(Some(sink))
    }

    /// Writes the line of a call that was answered.
    pub(super) fn write(&self, api: &RestApi, call: &Call, context: Map<String, Value>) {
        let (Some(sink), Some(setting)) = (&self.0, &api.access_log) else {
            return;
        };
        let line =
            gateway_response::substitute(&setting.format, &Value::Object(context), api, ABSENT);
        // CloudWatch Logs keeps no line end.
        sink(call.received, line.trim_end().to_owned());
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AccessLog").field(&self.0.is_some()).finish()
    }
}

/// What is known of a call besides its request, once it is answered.
#[derive(Default)]
pub(super) struct Seen {
    /// What the authorizer said of the caller, where it let them in.
    pub(super) authorizer: Option<Map<String, Value>>,
    /// What the function's answer came to.
    pub(super) integration: Option<(u16, i64)>,
    /// The id of the API key that it was counted under, or was to be.
    pub(super) usage_key_id: Option<String>,
}

impl Seen {
    /// `$context` of a call that a function answered, or that was refused for this reason.
    pub(super) fn complete(
        self,
        context: &mut Map<String, Value>,
        status: u16,
        length: usize,
        gateway_error: Option<&GatewayError>,
    ) {
        context.insert("status".into(), status.to_string().into());
        context.insert("responseLength".into(), length.to_string().into());
        if let Some((status, latency)) = self.integration {
            context.insert("integrationStatus".into(), status.into());
            context.insert("integrationLatency".into(), latency.into());
            context.insert(
                "integration".into(),
                json!({"status": status, "integrationStatus": 200, "latency": latency}),
            );
        }
        if let (Some(id), Some(identity)) = (self.usage_key_id, context.get_mut("identity")) {
            identity["apiKeyId"] = id.into();
        }
        if let Some(gateway_error) = gateway_error {
            context.insert("error".into(), gateway_error.error());
        }
        let mut authorizer = self
            .authorizer
            .or_else(|| gateway_error.map(GatewayError::authorizer))
            .unwrap_or_default();
        // Those of the authorizer's own call; what failed it is no secret, being a fixed phrase or
        // an error's type.
        if let Some(gateway_error) = gateway_error.filter(|gateway_error| {
            gateway_error.is_of_authorizer() && !gateway_error.reason.is_empty()
        }) {
            authorizer.insert("error".into(), gateway_error.reason.clone().into());
        }
        context.insert("authorizer".into(), Value::Object(authorizer));
    }
}
