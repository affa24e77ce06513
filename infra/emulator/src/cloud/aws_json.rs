//! The AWS JSON 1.1 protocol: the operation stands in `x-amz-target`, an error in `__type`.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    document::NotSaved,
    error::CloudError,
    random::{self, NoRandomness},
};

/// Reads a request. Members that the operation does not know are ignored, as AWS ignores them.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, AwsError> {
    serde_json::from_slice(body).map_err(|e| AwsError::new("SerializationException", e.to_string()))
}

/// Writes what came of an operation.
pub(super) fn respond(result: Result<Value, AwsError>) -> Response {
    let id = random::uuid().unwrap_or_default();
    let (status, kind, body) = match result {
        Ok(answer) => (StatusCode::OK, None, answer),
        Err(AwsError {
            status,
            kind,
            message,
        }) => {
            tracing::debug!(kind, message, "refused");
            (
                status,
                Some(kind),
                json!({"__type": kind, "message": message}),
            )
        }
    };
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/x-amz-json-1.1"),
        ("x-amzn-requestid", &id),
    ];
    let mut response = (status, headers, body.to_string()).into_response();
    if let Some(kind) = kind {
        response
            .headers_mut()
            .insert("x-amzn-errortype", HeaderValue::from_static(kind));
    }
    response
}

/// A member that must be there.
pub(super) fn required<'a, T>(
    member: &'static str,
    value: Option<&'a T>,
) -> Result<&'a T, AwsError> {
    value.ok_or_else(|| {
        AwsError::validation(format!(
            "Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

/// A time as the protocol writes it.
pub(super) fn epoch_seconds(at: Timestamp) -> f64 {
    Duration::from_millis(at.millis().unsigned_abs()).as_secs_f64()
}

/// A refused operation.
#[derive(Debug)]
pub(super) struct AwsError {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl AwsError {
    /// The caller's fault: 400, the status of all modelled client errors of these services but one.
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind,
            message: message.into(),
        }
    }

    /// With another status, for the protocols that have them.
    pub(super) fn with_status(
        status: StatusCode,
        kind: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
        }
    }

    /// A member's value is not acceptable.
    pub(super) fn validation(message: impl AsRef<str>) -> Self {
        Self::new(
            "ValidationException",
            format!("1 validation error detected: {}", message.as_ref()),
        )
    }

    /// Not the caller's fault.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self {
            status,
            kind: "InternalFailure",
            message: message.into(),
        }
    }

    /// KMS's answer to a dry run that would have succeeded.
    pub(super) fn dry_run() -> Self {
        let message = "The request would have succeeded, but the DryRun option is set.".to_owned();
        Self {
            status: StatusCode::PRECONDITION_FAILED,
            kind: "DryRunOperationException",
            message,
        }
    }
}

impl std::fmt::Display for AwsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl From<NotSaved> for AwsError {
    fn from(NotSaved(e): NotSaved) -> Self {
        Self::internal(format!("cannot save to the data directory: {e}"))
    }
}

impl From<NoRandomness> for AwsError {
    fn from(_: NoRandomness) -> Self {
        Self::internal("the operating system gave no random bytes")
    }
}

impl From<AwsError> for CloudError {
    fn from(aws_error: AwsError) -> Self {
        Self::new(aws_error.to_string())
    }
}

/// Bytes, base64 on the wire and on disk. Some are secret, so they are never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Blob(pub(super) Vec<u8>);

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD
            .decode(text)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("not base64"))
    }
}
