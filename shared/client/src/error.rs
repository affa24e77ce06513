//! What can go wrong with a deployment, in words that hold no credential (LEAK-1): neither what was
//! sent nor what an answer may repeat of it.

use std::{fmt, time::Duration};

use runtime::log::redact;
use serde_json::Value;

/// Longer explanations are cut.
const LONGEST: usize = 1000;

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The URL is none that credentials are sent to.
    Address,
    /// What is to be sent in a header cannot be.
    Header {
        /// What it is, not what it says.
        what: &'static str,
    },
    /// There is no answer, or not a whole one: nobody knows what became of the request.
    NoAnswer {
        /// Who was asked.
        deployment: String,
        /// What the connection says.
        cause: String,
    },
    /// The deployment answered with an error.
    Response(Box<ErrorResponse>),
    /// An answer that no deployment of Latchkey gives.
    Foreign {
        /// Its status.
        status: u16,
    },
}

/// An error response, in either spelling of errors: that of the management API and RFC 6749's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The status.
    pub status: u16,
    /// `message_code`, or RFC 6749's `error`.
    pub code: String,
    /// What it says to people.
    pub message: String,
    /// The members of the request that are not acceptable, and why.
    pub fields: Vec<(String, String)>,
    /// When the same request may succeed, where that is said.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// The error response, where it is one.
    #[must_use]
    pub fn response(&self) -> Option<&ErrorResponse> {
        match self {
            Self::Response(response) => Some(response),
            Self::Address | Self::Header { .. } | Self::NoAnswer { .. } | Self::Foreign { .. } => {
                None
            }
        }
    }

    /// Whether it is an error response with this status.
    #[must_use]
    pub fn is_status(&self, status: u16) -> bool {
        self.response()
            .is_some_and(|response| response.status == status)
    }

    /// Whether the same call may succeed later, as it is.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Address | Self::Header { .. } => false,
            Self::NoAnswer { .. } => true,
            Self::Response(response) => response.status == 429 || response.status >= 500,
            Self::Foreign { status } => *status == 429 || *status >= 500,
        }
    }
}

impl ErrorResponse {
    pub(crate) fn read(status: u16, body: &Value, retry_after: Option<&str>) -> Self {
        let said = |names: [&str; 2]| {
            names
                .into_iter()
                .find_map(|name| body[name].as_str())
                .map_or("unexplained".into(), clean)
        };
        let (code, message) = (
            said(["message_code", "error"]),
            said(["message", "error_description"]),
        );
        let field = |error: &Value| {
            Some((
                clean(error["field"].as_str()?),
                clean(error["reason"].as_str()?),
            ))
        };
        let fields = body["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(field)
            .collect();
        let retry_after = retry_after
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        Self {
            status,
            code,
            message,
            fields,
            retry_after,
        }
    }
}

/// Without credentials, control characters and endlessness.
fn clean(text: &str) -> String {
    let text = redact(text.as_bytes());
    String::from_utf8_lossy(&text)
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str(
                "the deployment's URL must be https (http on loopback), without user, password or \
                 query",
            ),
            Self::Header { what } => write!(f, "{what} has characters that no header can have"),
            Self::NoAnswer { deployment, cause } => {
                write!(f, "no answer from {deployment}: {cause}")
            }
            Self::Response(response) => response.fmt(f),
            Self::Foreign { status } => write!(
                f,
                "{status}: this is no answer of Latchkey; is this where a deployment answers?"
            ),
        }
    }
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            code,
            message,
            fields,
            retry_after: _,
        } = self;
        write!(f, "{status} {code}: {message}")?;
        fields
            .iter()
            .try_for_each(|(field, reason)| write!(f, "\n  {field} {reason}"))
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_says_what_the_api_says() {
        let body = json!({
            "message_code": "invalid_parameter",
            "message": "Wrong",
            "errors": [{"field": "name", "reason": "is long"}],
        });
        assert_eq!(
            ErrorResponse::read(422, &body, None).to_string(),
            "422 invalid_parameter: Wrong\n  name is long"
        );
        let body = json!({"error": "invalid_client", "error_description": "No"});
        assert_eq!(
            ErrorResponse::read(401, &body, None).to_string(),
            "401 invalid_client: No"
        );
        assert_eq!(
            ErrorResponse::read(503, &json!({}), Some("7")).retry_after,
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            ErrorResponse::read(503, &json!([]), Some("soon")).to_string(),
            "503 unexplained: unexplained"
        );
    }

    #[test]
    fn leak_1_a_refusal_that_repeats_a_credential_does_not_pass_it_on() {
        let secret = format!("lk_test_{}", "a1B".repeat(24));
        let body = json!({"message_code": secret, "message": format!("not {secret}\u{1b}[2J"),
            "errors": [{"field": secret, "reason": secret}]});
        let response = ErrorResponse::read(422, &body, None);
        let shown = format!("{response} {response:?}");
        assert!(
            !shown.contains("a1B") && !shown.contains('\u{1b}') && shown.contains("not [redacted]"),
            "{shown}"
        );
    }

    #[test]
    fn what_may_succeed_later_is_told_from_what_will_not() {
        let refused =
            |status| Error::Response(Box::new(ErrorResponse::read(status, &json!({}), None)));
        for (error, temporary) in [
            (refused(400), false),
            (refused(401), false),
            (refused(409), false),
            (refused(429), true),
            (refused(503), true),
            (
                Error::NoAnswer {
                    deployment: String::new(),
                    cause: String::new(),
                },
                true,
            ),
            (Error::Foreign { status: 502 }, true),
            (Error::Foreign { status: 200 }, false),
            (Error::Address, false),
        ] {
            assert_eq!(error.is_temporary(), temporary, "{error}");
        }
    }
}
