//! The one error type. Two of its spellings on the wire are made in `web::dialect`, each in one
//! exhaustive `match`; the third, the gateway's, stands in `infra/template.yaml`.

use std::{borrow::Cow, fmt};

/// What went wrong, in a closed list; each has one status and one `message_code`
/// (docs/requirements.md, Errors).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be read: JSON or form syntax, a parameter repeated or missing.
    MalformedRequest,
    /// A client's authentication at a token endpoint failed (RFC 6749 §5.2 `invalid_client`).
    InvalidClient,
    /// A scope is unknown or not granted to the key (RFC 6749 §5.2 `invalid_scope`).
    InvalidScope,
    /// A grant type this server does not have (RFC 6749 §5.2 `unsupported_grant_type`).
    UnsupportedGrantType,
    /// The client is known and may not use this grant (RFC 6749 §5.2 `unauthorized_client`): a
    /// personal key gets no tokens.
    UnauthorizedClient,
    /// What was to be revoked is no access token (RFC 7009 §2.2.1 `unsupported_token_type`).
    UnsupportedTokenType,
    /// The access token is missing, invalid, expired or revoked.
    AuthenticationFailed,
    /// The call comes from an address outside the allowlist (CYB-7).
    IpNotAllowed,
    /// The credential has an allowlist and nobody knows where the call comes from.
    IpUnknown,
    /// The credential lacks a scope that the operation needs.
    InsufficientScope,
    /// The caller may not do this, whatever its scopes.
    Forbidden,
    /// The organization's plan does not have this (CBM-2).
    PlanUpgradeRequired,
    /// No such thing, or none the caller may know of.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The thing is in a state that forbids this, or something else stands in the way.
    Conflict,
    /// As many of a kind as an organization may have (docs/requirements.md, Lists).
    LimitReached,
    /// The body is larger than 64 KiB.
    PayloadTooLarge,
    /// The body is of a media type that this operation does not read.
    UnsupportedMediaType,
    /// The request is well-formed and a value in it is not acceptable.
    InvalidParameter,
    /// An `Idempotency-Key` came again with another request.
    IdempotencyKeyReused,
    /// API Gateway throttles the call, and answers so itself; the same request may succeed later.
    RateLimited,
    /// Something we depend on is slow, throttled or absent; the same request may succeed later.
    TemporarilyUnavailable,
    /// A defect of ours.
    Internal,
}

impl Kind {
    /// Every kind, for the error reference.
    pub const ALL: [Self; 23] = [
        Self::MalformedRequest,
        Self::InvalidClient,
        Self::InvalidScope,
        Self::UnsupportedGrantType,
        Self::UnauthorizedClient,
        Self::UnsupportedTokenType,
        Self::AuthenticationFailed,
        Self::IpNotAllowed,
        Self::IpUnknown,
        Self::InsufficientScope,
        Self::Forbidden,
        Self::PlanUpgradeRequired,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::LimitReached,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidParameter,
        Self::IdempotencyKeyReused,
        Self::RateLimited,
        Self::TemporarilyUnavailable,
        Self::Internal,
    ];
}

/// One member of the request and why it is refused.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// The member's path, such as `ip_allowlist[1]`.
    pub field: String,
    /// Why, in words that say what would be accepted.
    pub reason: String,
}

/// A failure as the caller sees it. What only operators may see goes to the log where it happens,
/// never in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Which of the closed list.
    pub kind: Kind,
    /// A sentence for people: what is wrong and what to do. Never holds a secret, a token or
    /// foreign data.
    pub message: Cow<'static, str>,
    /// The members at fault, for [`Kind::InvalidParameter`].
    pub fields: Vec<FieldError>,
}

/// The one text of every 401 of the management API and the gateway.
const UNAUTHENTICATED: &str = "Access token is missing, invalid or revoked, or Signature has \
                               expired: request a new token; expiry needs no rotation";

/// What a `starter` organization is told of personal keys (CBM-2). The gateway substitutes it into
/// JSON without escaping.
pub const PLAN_UPGRADE_REQUIRED: &str = "Personal keys need the plan pro or enterprise: ask \
                                         platform staff, who upgrade by PUT \
                                         /api/organizations/{guid}/plan";

impl Error {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            fields: Vec::new(),
        }
    }

    /// One member that is not acceptable.
    #[must_use]
    pub fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::fields(vec![FieldError {
            field: field.into(),
            reason: reason.into(),
        }])
    }

    /// Members that are not acceptable; at least one.
    #[must_use]
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let message = fields
            .iter()
            .map(|e| format!("{} {}", e.field, e.reason))
            .collect::<Vec<_>>()
            .join("; ");
        Self {
            kind: Kind::InvalidParameter,
            message: message.into(),
            fields,
        }
    }

    /// The 404 of a thing that does not exist or that the caller may not know of: always the same.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, "There is no such resource")
    }

    /// The refusal of a call that nobody vouches for: one static text
    /// (docs/requirements.md, Errors; CYB-9).
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(Kind::AuthenticationFailed, UNAUTHENTICATED)
    }

    /// The refusal of an address outside the allowlist, with CYB-7's words.
    #[must_use]
    pub fn ip_not_allowed() -> Self {
        Self::new(Kind::IpNotAllowed, "IP address not in allowlist")
    }

    /// The one answer to every failed client authentication: says nothing of which part was wrong.
    #[must_use]
    pub fn invalid_client() -> Self {
        Self::new(
            Kind::InvalidClient,
            "Client authentication failed: the client or its secret is unknown, inactive, expired \
             or revoked",
        )
    }

    /// CBM-2, with where to upgrade.
    #[must_use]
    pub fn plan_upgrade_required() -> Self {
        Self::new(Kind::PlanUpgradeRequired, PLAN_UPGRADE_REQUIRED)
    }

    /// Something we depend on did not answer in time.
    #[must_use]
    pub fn temporarily_unavailable() -> Self {
        Self::new(
            Kind::TemporarilyUnavailable,
            "The service cannot answer right now; send the same request again in a moment",
        )
    }

    /// A defect of ours; the log has the cause under the request's id.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            Kind::Internal,
            "The service failed; the failure is logged under the request id of this answer",
        )
    }
}

/// What an error and its causes say of themselves, for the log. Their `Debug` forms are left out on
/// purpose: those of the AWS SDK hold whole requests and answers.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
