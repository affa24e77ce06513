//! What the descriptions of the operations share (CBM-6): schemas of the domain's types, which know
//! nothing of `OpenAPI`, the error responses, and the parameters that many operations take.
//!
//! An operation is described where it is written:
//!
//! ```text
//! /// Creates a bank.
//! #[utoipa::path(post, path = "/api/banks", params(IdempotencyKey), request_body = Body,
//!     responses((status = 201, body = Response), CommonErrors, BadBody, Conflict))]
//! ```

use std::collections::{BTreeMap, BTreeSet};

use domain::error::Kind;
use utoipa::{
    IntoParams, IntoResponses,
    openapi::{
        ArrayBuilder, Components, ComponentsBuilder, ContentBuilder, HeaderBuilder, ObjectBuilder,
        Ref, RefOr, Response, ResponseBuilder, Schema,
        schema::{SchemaType, Type},
    },
};

use crate::dialect;

/// What the domain writes as text, for `#[schema(value_type = schema::Guid)]`. Identifiers have no
/// examples: the documentation page would send them as the values of parameters that can be left
/// out.
pub mod schema {
    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{
            ObjectBuilder, RefOr, Schema,
            schema::{SchemaType, Type},
        },
    };

    /// An identifier: 32 lower-case hexadecimal characters.
    #[derive(Debug, ToSchema)]
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub struct Guid(pub String);

    /// A key's public name: 22 characters of base62.
    #[derive(Debug, ToSchema)]
    #[schema(pattern = "^[0-9A-Za-z]{22}$")]
    pub struct ClientId(pub String);

    /// An instant: RFC 3339, UTC.
    #[derive(Debug, ToSchema)]
    #[schema(format = DateTime, example = "2026-01-02T03:04:05.678Z")]
    pub struct Timestamp(pub String);

    /// A scope of the catalogue.
    #[derive(Debug, ToSchema)]
    #[schema(
        pattern = "^[a-z0-9_]+:(pii:)?(read|write|execute)$",
        max_length = 64,
        example = "banks:read"
    )]
    pub struct Scope(pub String);

    /// An IPv4 address or CIDR block, wholly public.
    #[derive(Debug, ToSchema)]
    #[schema(example = "8.8.8.0/24")]
    pub struct AllowlistEntry(pub String);

    /// Names the variants of an enum of the domain, which serde spells; one that is left out does
    /// not compile.
    macro_rules! words {
        ($($(#[$doc:meta])* $name:ident = $of:path { $($variant:ident)* })*) => {$(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    use $of as Of;
                    const fn _all(value: &Of) {
                        match value { $(Of::$variant => {})* }
                    }
                    let words = [$(serde_json::json!(Of::$variant)),*];
                    ObjectBuilder::new()
                        .schema_type(SchemaType::new(Type::String))
                        .enum_values(Some(words))
                        .into()
                }
            }

            impl ToSchema for $name {}
        )*};
    }

    words! {
        /// The kind of a key or token.
        Kind = domain::key_mode::KeyMode { Sandbox Live }
        /// A bank's environment.
        BankEnvironment = domain::key_mode::BankEnvironment { Sandbox Production }
        /// What an organization pays for.
        Plan = domain::gate::Plan { Starter Pro Enterprise }
        /// Where an organization stands with "know your business".
        Kyb = domain::gate::Kyb { Pending Approved Rejected }
        /// What a key is now, its gates considered.
        KeyState = domain::key::Effective { Inactive Active Deactivated Expired Revoked }
        /// What a user may do; the last three are the platform's own staff.
        Role = domain::role::Role { Viewer Developer Admin Owner Support Security Operations }
        /// Whether a user's keys work.
        UserState = domain::user::UserState { Active Disabled }
    }
}

/// The key that a path names.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct KeyPath {
    /// The key's `client_id`, or its `guid`.
    #[param(pattern = "^([0-9A-Za-z]{22}|[0-9a-f]{32})$")]
    pub client_id: String,
}

/// The thing that a path names.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct GuidPath {
    /// Its identifier.
    #[param(pattern = "^[0-9a-f]{32}$")]
    pub guid: String,
}

/// Which page of a bounded list. Where a `Query` has these members too, they are `#[param(ignore)]`
/// there.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// From 0.
    #[param(maximum = 1_000_000, default = 0)]
    pub page: Option<u32>,
    /// How many a page has.
    #[param(minimum = 1, maximum = 100, default = 10)]
    pub per_page: Option<u32>,
}

/// What makes a create repeatable (X-8).
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKey {
    /// For 24 hours the same request with the same value answers with what the first one made,
    /// without its secret and with `Idempotency-Replayed: true`; another request with it is
    /// refused.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        pattern = "^[!-~]{1,255}$"
    )]
    pub idempotency_key: Option<String>,
}

/// Of every operation behind the authorizer: 401, 403, 429, 500, 503.
#[derive(Debug)]
pub struct CommonErrors;

/// 404: no such thing, or none that the caller may know of.
#[derive(Debug)]
pub struct NotFound;

/// 409: the thing is in a state that forbids this, or as many as there may be exist.
#[derive(Debug)]
pub struct Conflict;

/// 422: a parameter of the query is unknown, repeated or not acceptable.
#[derive(Debug)]
pub struct BadQuery;

/// 400, 413, 415 and 422 of an operation that reads a JSON body.
#[derive(Debug)]
pub struct BadBody;

/// Of every operation in the dialect of RFC 6749: 400, 401, 403, 413, 415, 429, 500, 503.
#[derive(Debug)]
pub struct OAuthErrors;

/// Of every operation that anybody may call: 429, 500, 503.
#[derive(Debug)]
pub struct Unavailable;

/// Where each error response stands among the document's components: set, status, name there, what
/// it means.
const ERROR_RESPONSES: &[(&str, &str, &str, &str)] = &[
    (
        "CommonErrors",
        "401",
        "Unauthorized",
        "The credential is missing, invalid, expired or revoked.",
    ),
    (
        "CommonErrors",
        "403",
        "Forbidden",
        "The caller may not do this, or not from this address.",
    ),
    (
        "NotFound",
        "404",
        "NotFound",
        "There is no such thing, or none that the caller may know of.",
    ),
    (
        "Conflict",
        "409",
        "Conflict",
        "The thing is in a state that forbids this, or as many as there may be exist.",
    ),
    ("BadBody", "400", "Malformed", "The body is no JSON."),
    (
        "BadBody",
        "413",
        "TooLarge",
        "The body is larger than 64 KiB.",
    ),
    (
        "BadBody",
        "415",
        "UnsupportedMediaType",
        "The body's media type is not read here.",
    ),
    (
        "BadBody BadQuery",
        "422",
        "Unacceptable",
        "A value is unknown, missing or not acceptable; `errors` names it.",
    ),
    (
        "OAuthErrors",
        "400",
        "OAuthBadRequest",
        "A parameter is missing, repeated or not acceptable.",
    ),
    (
        "OAuthErrors",
        "401",
        "OAuthInvalidClient",
        "Client authentication failed.",
    ),
    (
        "OAuthErrors",
        "403",
        "OAuthForbidden",
        "The client may not do this, or not from this address.",
    ),
    (
        "OAuthErrors",
        "413",
        "OAuthTooLarge",
        "The body is larger than 64 KiB.",
    ),
    (
        "OAuthErrors",
        "415",
        "OAuthUnsupportedMediaType",
        "The body's media type is not read here.",
    ),
    (
        "OAuthErrors",
        "500",
        "OAuthFailed",
        "The service failed; the failure is logged under the request's id.",
    ),
    (
        "OAuthErrors",
        "503",
        "OAuthUnavailable",
        "The service cannot answer right now.",
    ),
    (
        "OAuthErrors",
        "429",
        "OAuthTooManyRequests",
        "Too many requests.",
    ),
    (
        "CommonErrors Unavailable",
        "429",
        "TooManyRequests",
        "Too many requests.",
    ),
    (
        "CommonErrors Unavailable",
        "500",
        "Failed",
        "The service failed; the failure is logged under the request's id.",
    ),
    (
        "CommonErrors Unavailable",
        "503",
        "Unavailable",
        "The service cannot answer right now.",
    ),
];

macro_rules! error_responses {
    ($($set:ident)*) => {$(
        impl IntoResponses for $set {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                ERROR_RESPONSES
                    .iter()
                    .filter(|(sets, ..)| sets.split(' ').any(|set| set == stringify!($set)))
                    .map(|(_, status, name, _)| {
                        ((*status).to_owned(), Ref::from_response_name(*name).into())
                    })
                    .collect()
            }
        }
    )*};
}

error_responses!(CommonErrors NotFound Conflict BadQuery BadBody OAuthErrors Unavailable);

/// The components that the error responses refer to.
#[must_use]
pub fn components() -> Components {
    let responses = ERROR_RESPONSES.iter().map(|&(_, status, name, meaning)| {
        (name.to_owned(), error_response(status, name, meaning))
    });
    ComponentsBuilder::new()
        .schema("Error", management_error())
        .schema("OAuthError", oauth_error())
        .responses_from_iter(responses)
        .build()
}

fn error_response(status: &str, name: &str, meaning: &str) -> Response {
    let schema = Ref::from_schema_name(if name.starts_with("OAuth") {
        "OAuthError"
    } else {
        "Error"
    });
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new()
        .description(meaning)
        .content("application/json", content);
    if matches!(status, "429" | "503") {
        let seconds = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Integer))
            .minimum(Some(0));
        let header = HeaderBuilder::new()
            .schema(Some(seconds))
            .description(Some("Seconds to wait before another try"));
        return response.header("Retry-After", header.build()).build();
    }
    response.build()
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .description(Some(description))
}

fn management_error() -> Schema {
    let codes: BTreeSet<_> = Kind::ALL
        .into_iter()
        .map(|kind| dialect::management(kind).2)
        .collect();
    let status = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .description(Some("The HTTP status"));
    let member = ObjectBuilder::new()
        .property("field", text("The member's path, such as ip_allowlist[1]"))
        .property(
            "reason",
            text("Why it is refused, in words that say what would be accepted"),
        )
        .required("field")
        .required("reason");
    let members = ArrayBuilder::new()
        .items(member)
        .description(Some("With invalid_parameter: what is refused"));
    [
        "status",
        "error",
        "message_code",
        "message",
        "error_message",
    ]
    .into_iter()
    .fold(ObjectBuilder::new(), ObjectBuilder::required)
    .property("status", status)
    .property("error", text("The status in words"))
    .property(
        "message_code",
        text("What went wrong, of a closed list").enum_values(Some(codes)),
    )
    .property("message", text("A sentence for people"))
    .property("error_message", text("The same sentence"))
    .property("errors", members)
    .into()
}

fn oauth_error() -> Schema {
    let words: BTreeSet<_> = Kind::ALL
        .into_iter()
        .map(|kind| dialect::oauth(kind).1)
        .collect();
    ObjectBuilder::new()
        .property(
            "error",
            text("What went wrong (RFC 6749 §5.2)").enum_values(Some(words)),
        )
        .property("error_description", text("A sentence for people"))
        .property(
            "message_code",
            text("ip_not_allowed, and with nothing else"),
        )
        .property(
            "message",
            text("With ip_not_allowed: a sentence for people"),
        )
        .required("error")
        .into()
}
