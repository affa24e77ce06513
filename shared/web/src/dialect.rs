//! The spellings of the one error type on the wire (docs/requirements.md, Errors). A handler's
//! return type picks the dialect. The third dialect, the gateway's own denials, is spelled by the
//! gateway responses of `infra/template.yaml`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::error::{Error, FieldError, Kind};
use runtime::log;
use serde_json::{Map, Value, json};

use crate::refusal;

/// An error of the management API:
/// `{"status", "error", "message_code", "message", "error_message"}`.
#[derive(Debug)]
pub struct Management(pub Error);

/// An error of the OAuth endpoints: RFC 6749 §5.2.
#[derive(Debug)]
pub struct OAuth(pub Error);

impl<E: Into<Error>> From<E> for Management {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl<E: Into<Error>> From<E> for OAuth {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// Status, `error` and `message_code` of each kind in the management dialect.
#[must_use]
pub const fn management(kind: Kind) -> (StatusCode, &'static str, &'static str) {
    use StatusCode as S;
    match kind {
        Kind::MalformedRequest => (S::BAD_REQUEST, "bad_request", "malformed_request"),
        Kind::UnsupportedGrantType => (S::BAD_REQUEST, "bad_request", "unsupported_grant_type"),
        Kind::InvalidClient | Kind::AuthenticationFailed => {
            (S::UNAUTHORIZED, "unauthorized", "authentication_failed")
        }
        Kind::UnauthorizedClient => (S::BAD_REQUEST, "bad_request", "unauthorized_client"),
        Kind::UnsupportedTokenType => (S::BAD_REQUEST, "bad_request", "unsupported_token_type"),
        Kind::IpNotAllowed => (S::FORBIDDEN, "forbidden", "ip_not_allowed"),
        Kind::IpUnknown => (S::FORBIDDEN, "forbidden", "ip_unknown"),
        Kind::InsufficientScope => (S::FORBIDDEN, "forbidden", "insufficient_scope"),
        Kind::Forbidden => (S::FORBIDDEN, "forbidden", "forbidden"),
        Kind::PlanUpgradeRequired => (S::FORBIDDEN, "forbidden", "plan_upgrade_required"),
        Kind::NotFound => (S::NOT_FOUND, "not_found", "not_found"),
        Kind::MethodNotAllowed => (
            S::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "method_not_allowed",
        ),
        Kind::Conflict => (S::CONFLICT, "conflict", "conflict"),
        Kind::LimitReached => (S::CONFLICT, "conflict", "limit_reached"),
        Kind::PayloadTooLarge => (
            S::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "payload_too_large",
        ),
        Kind::UnsupportedMediaType => (
            S::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "unsupported_media_type",
        ),
        Kind::InvalidScope => (
            S::UNPROCESSABLE_ENTITY,
            "unprocessable_entity",
            "invalid_scope",
        ),
        Kind::InvalidParameter => (
            S::UNPROCESSABLE_ENTITY,
            "unprocessable_entity",
            "invalid_parameter",
        ),
        Kind::IdempotencyKeyReused => (
            S::UNPROCESSABLE_ENTITY,
            "unprocessable_entity",
            "idempotency_key_reused",
        ),
        Kind::RateLimited => (S::TOO_MANY_REQUESTS, "too_many_requests", "rate_limited"),
        Kind::TemporarilyUnavailable => (
            S::SERVICE_UNAVAILABLE,
            "service_unavailable",
            "temporarily_unavailable",
        ),
        Kind::Internal => (
            S::INTERNAL_SERVER_ERROR,
            "internal_server_error",
            "internal_error",
        ),
    }
}

/// Status and `error` of each kind in the OAuth dialect (RFC 6749 §5.2, §4.1.2.1 for the two 5xx,
/// and RFC 6750 §3.1 for whoever authenticates by a bearer credential). Neither has a word for a
/// 429 (RFC 6585 §4): it gets that of §4.1.2.1 for what may succeed later, so that clients need to
/// know no other; `slow_down` (RFC 8628 §3.5) is for those who poll for a device's token.
#[must_use]
pub const fn oauth(kind: Kind) -> (StatusCode, &'static str) {
    use StatusCode as S;
    match kind {
        Kind::MalformedRequest | Kind::InvalidParameter => (S::BAD_REQUEST, "invalid_request"),
        Kind::UnsupportedGrantType => (S::BAD_REQUEST, "unsupported_grant_type"),
        Kind::UnauthorizedClient => (S::BAD_REQUEST, "unauthorized_client"),
        Kind::UnsupportedTokenType => (S::BAD_REQUEST, "unsupported_token_type"),
        Kind::InvalidScope => (S::BAD_REQUEST, "invalid_scope"),
        Kind::InvalidClient => (S::UNAUTHORIZED, "invalid_client"),
        Kind::AuthenticationFailed => (S::UNAUTHORIZED, "invalid_token"),
        Kind::IpNotAllowed | Kind::IpUnknown => (S::FORBIDDEN, "forbidden"),
        Kind::InsufficientScope => (S::FORBIDDEN, "insufficient_scope"),
        Kind::Forbidden | Kind::PlanUpgradeRequired => (S::FORBIDDEN, "access_denied"),
        Kind::NotFound => (S::NOT_FOUND, "invalid_request"),
        Kind::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "invalid_request"),
        Kind::Conflict | Kind::LimitReached => (S::CONFLICT, "invalid_request"),
        Kind::IdempotencyKeyReused => (S::UNPROCESSABLE_ENTITY, "invalid_request"),
        Kind::PayloadTooLarge => (S::PAYLOAD_TOO_LARGE, "invalid_request"),
        Kind::UnsupportedMediaType => (S::UNSUPPORTED_MEDIA_TYPE, "invalid_request"),
        Kind::RateLimited => (S::TOO_MANY_REQUESTS, "temporarily_unavailable"),
        Kind::TemporarilyUnavailable => (S::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        Kind::Internal => (S::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

impl IntoResponse for Management {
    fn into_response(self) -> Response {
        let error = redacted(&self.0);
        let (status, name, code) = management(error.kind);
        let mut body = json!({
            "status": status.as_u16(),
            "error": name,
            "message_code": code,
            "message": error.message,
            "error_message": error.message,
        });
        if error.kind == Kind::InvalidParameter {
            body["errors"] = json!(error.fields);
        }
        with_headers(status, &error, &body)
    }
}

impl IntoResponse for OAuth {
    fn into_response(self) -> Response {
        let error = redacted(&self.0);
        let (status, name) = oauth(error.kind);
        let mut body = Map::new();
        body.insert("error".into(), name.into());
        body.insert("error_description".into(), ascii(&error.message).into());
        if error.kind == Kind::IpNotAllowed {
            // CYB-7's three members stay whole at the token endpoints too (CYB-6).
            let (_, _, code) = management(error.kind);
            body.insert("message_code".into(), code.into());
            body.insert("message".into(), error.message.as_ref().into());
        }
        let mut response = with_headers(status, &error, &Value::Object(body));
        let challenge = match error.kind {
            Kind::InvalidClient => "Basic realm=\"token\", charset=\"UTF-8\"",
            Kind::AuthenticationFailed => "Bearer error=\"invalid_token\"",
            _ => return response,
        };
        response.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        );
        response
    }
}

/// LEAK-1: a message names what it refuses, and a confused client sends a secret where a name or a
/// scope belongs.
fn redacted(error: &Error) -> Error {
    let redact = |text: &str| String::from_utf8_lossy(&log::redact(text.as_bytes())).into_owned();
    let field = |refused: &FieldError| FieldError {
        field: redact(&refused.field),
        reason: redact(&refused.reason),
    };
    Error {
        message: redact(&error.message).into(),
        fields: error.fields.iter().map(field).collect(),
        ..*error
    }
}

/// RFC 6749 §5.2 allows %x20-21, %x23-5B and %x5D-7E in a description.
fn ascii(text: &str) -> String {
    let text = text.replace('§', "section ");
    text.chars()
        .map(|c| {
            if matches!(c, ' '..='~') && c != '"' && c != '\\' {
                c
            } else {
                '\''
            }
        })
        .collect()
}

fn with_headers(status: StatusCode, error: &Error, body: &Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(error.kind, Kind::RateLimited | Kind::TemporarilyUnavailable) {
        headers.insert(header::RETRY_AFTER, 1.into());
    }
    refusal::mark(&mut response, error.kind);
    response
}

/// The 404 of a path that no route has.
#[expect(clippy::unused_async, reason = "axum takes async handlers")]
pub async fn no_such_path() -> Management {
    Management(Error::new(Kind::NotFound, "There is no such path"))
}

/// The 405 of a path that has other methods; they stand in `Allow`.
#[expect(clippy::unused_async, reason = "axum takes async handlers")]
pub async fn no_such_method() -> Management {
    Management(Error::new(
        Kind::MethodNotAllowed,
        "This path does not take this method; see the Allow header",
    ))
}

/// As [`no_such_method`], at an OAuth endpoint.
#[expect(clippy::unused_async, reason = "axum takes async handlers")]
pub async fn no_such_oauth_method() -> OAuth {
    OAuth(Error::new(
        Kind::MethodNotAllowed,
        "This path does not take this method; see the Allow header",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error reference: every kind in both dialects. A changed line here is a change of the
    /// contract.
    #[test]
    fn every_kind_has_its_spelling_in_both_dialects() {
        let reference: Vec<String> = Kind::ALL
            .into_iter()
            .map(|kind| {
                let ((status, error, code), (oauth_status, oauth_error)) =
                    (management(kind), oauth(kind));
                format!(
                    "{kind:?}: {} {error} {code} | {} {oauth_error}",
                    status.as_u16(),
                    oauth_status.as_u16()
                )
            })
            .collect();
        assert_eq!(
            reference,
            [
                "MalformedRequest: 400 bad_request malformed_request | 400 invalid_request",
                "InvalidClient: 401 unauthorized authentication_failed | 401 invalid_client",
                "InvalidScope: 422 unprocessable_entity invalid_scope | 400 invalid_scope",
                "UnsupportedGrantType: 400 bad_request unsupported_grant_type | 400 \
                 unsupported_grant_type",
                "UnauthorizedClient: 400 bad_request unauthorized_client | 400 unauthorized_client",
                "UnsupportedTokenType: 400 bad_request unsupported_token_type | 400 \
                 unsupported_token_type",
                "AuthenticationFailed: 401 unauthorized authentication_failed | 401 invalid_token",
                "IpNotAllowed: 403 forbidden ip_not_allowed | 403 forbidden",
                "IpUnknown: 403 forbidden ip_unknown | 403 forbidden",
                "InsufficientScope: 403 forbidden insufficient_scope | 403 insufficient_scope",
                "Forbidden: 403 forbidden forbidden | 403 access_denied",
                "PlanUpgradeRequired: 403 forbidden plan_upgrade_required | 403 access_denied",
                "NotFound: 404 not_found not_found | 404 invalid_request",
                "MethodNotAllowed: 405 method_not_allowed method_not_allowed | 405 invalid_request",
                "Conflict: 409 conflict conflict | 409 invalid_request",
                "LimitReached: 409 conflict limit_reached | 409 invalid_request",
                "PayloadTooLarge: 413 payload_too_large payload_too_large | 413 invalid_request",
                "UnsupportedMediaType: 415 unsupported_media_type unsupported_media_type | 415 \
                 invalid_request",
                "InvalidParameter: 422 unprocessable_entity invalid_parameter | 400 \
                 invalid_request",
                "IdempotencyKeyReused: 422 unprocessable_entity idempotency_key_reused | 422 \
                 invalid_request",
                "RateLimited: 429 too_many_requests rate_limited | 429 temporarily_unavailable",
                "TemporarilyUnavailable: 503 service_unavailable temporarily_unavailable | 503 \
                 temporarily_unavailable",
                "Internal: 500 internal_server_error internal_error | 500 server_error",
            ]
        );
    }
}
