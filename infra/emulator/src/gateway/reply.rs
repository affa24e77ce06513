//! A response on its way to HTTP, and the two ways there is to make one without a function or a
//! template.

use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, StatusCode};

/// A header's name and value.
pub(super) type Wire = (String, String);

/// A refusal in plain text, of the server in front of API Gateway.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Plain {
    pub(super) fn new(status: u16, text: String) -> Self {
        Self { status, text }
    }
}

/// A response before it is one of HTTP.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<Wire>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// Whether HTTP can carry it; functions and templates can name any header.
    pub(super) fn is_sendable(&self) -> bool {
        let carried = |(name, value): &Wire| {
            HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok()
        };
        StatusCode::from_u16(self.status).is_ok() && self.headers.iter().all(carried)
    }

    pub(super) fn unsendable() -> Self {
        let headers = vec![("content-type".into(), "application/json".into())];
        Self {
            status: 500,
            headers,
            body: br#"{"message":"Internal server error"}"#.to_vec(),
        }
    }
}

impl From<Plain> for Reply {
    fn from(plain: Plain) -> Self {
        let headers = vec![("content-type".into(), "text/plain".into())];
        Self {
            status: plain.status,
            headers,
            body: plain.text.into_bytes(),
        }
    }
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        let mut response = Response::new(Body::from(reply.body));
        *response.status_mut() =
            StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in reply.headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(&value),
            ) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
