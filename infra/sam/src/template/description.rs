//! What the template says, resolved: the input of the gateway and of whoever starts functions and
//! cloud services.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

/// Everything that the local stack takes from the template.
#[derive(Clone, Debug)]
pub struct Description {
    /// `AWS::Region`, part of every ARN.
    pub region: String,
    /// `AWS::AccountId`, part of every ARN.
    pub account_id: String,
    /// `AWS::Partition`, part of every ARN.
    pub partition: String,
    /// `AWS::StackName`, part of names.
    pub stack_name: String,
    /// The functions, by logical id.
    pub functions: BTreeMap<String, Function>,
    /// The one REST API.
    pub api: RestApi,
    /// `AWS::DynamoDB::Table` resources.
    pub tables: Vec<Resource>,
    /// `AWS::KMS::Key` resources.
    pub keys: Vec<Resource>,
    /// `AWS::KMS::Alias` resources.
    pub aliases: Vec<Resource>,
    /// `AWS::SecretsManager::Secret` resources.
    pub secrets: Vec<Resource>,
    /// `AWS::SQS::Queue` resources.
    pub queues: Vec<Resource>,
    /// `AWS::Logs::LogGroup` resources.
    pub log_groups: Vec<Resource>,
}

/// A resource with its resolved `Properties`.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its properties, without intrinsic functions.
    pub properties: Value,
}

/// A Lambda function.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name in the template.
    pub logical_id: String,
    /// Its ARN, as others refer to it.
    pub arn: String,
    /// The program: `Metadata.BuildProperties.Binary`, else the last component of `CodeUri`.
    pub binary: String,
    /// Its environment variables.
    pub environment: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Its memory in MiB.
    pub memory: u64,
    /// The table streams that it consumes.
    pub streams: Vec<Stream>,
    /// When it is called without anybody asking.
    pub schedules: Vec<Schedule>,
}

/// A `DynamoDB` stream event source.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// The event's name.
    pub name: String,
    /// The stream's ARN.
    pub arn: String,
    /// All resolved properties (`StartingPosition`, `BatchSize`, `FilterCriteria`, …).
    pub properties: Value,
}

/// A schedule of `EventBridge`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The event's name.
    pub name: String,
    /// Between two calls.
    pub every: Duration,
}

/// A REST API with one stage.
#[derive(Clone, Debug)]
pub struct RestApi {
    /// Its name in the template.
    pub logical_id: String,
    /// Its id, part of every method ARN.
    pub id: String,
    /// The stage's name.
    pub stage: String,
    /// The stage's variables.
    pub stage_variables: BTreeMap<String, String>,
    /// Media types whose bodies travel in base64.
    pub binary_media_types: Vec<String>,
    /// The authorizers, by name.
    pub authorizers: BTreeMap<String, Authorizer>,
    /// The customised gateway responses.
    pub gateway_responses: BTreeMap<ResponseType, GatewayResponse>,
    /// Every method of every resource.
    pub routes: Vec<Route>,
    /// The stage's usage plans.
    pub usage_plans: Vec<UsagePlan>,
    /// Where the stage writes a line about each call, if it does.
    pub access_log: Option<AccessLogSetting>,
    /// What the stage says of its methods (`MethodSettings`), resolved and otherwise as written.
    pub method_settings: Option<Value>,
}

/// A stage's access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogSetting {
    /// The ARN of the log group.
    pub destination: String,
    /// One line, with `$context` variables.
    pub format: String,
}

/// A method of a resource, served by a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The resource path, such as `/api/banks/{guid}`.
    pub path: String,
    /// The method in capitals, or `ANY`.
    pub method: String,
    /// The function's logical id.
    pub function: String,
    /// The authorizer's name; `None` lets everybody in.
    pub authorizer: Option<String>,
    /// Whether the call must be counted by a usage plan, which the authorizer's answer names by an
    /// API key.
    pub api_key_required: bool,
}

/// How many calls pass that name one of its API keys.
#[derive(Clone, Debug, PartialEq)]
pub struct UsagePlan {
    /// Its name in the template.
    pub name: String,
    /// The values of its API keys.
    pub keys: Vec<String>,
    /// How fast calls may come.
    pub throttle: Option<Throttle>,
    /// How many calls may come in a period.
    pub quota: Option<Quota>,
}

/// A token bucket, one for each API key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Calls a second.
    pub rate: f64,
    /// Calls at once.
    pub burst: u64,
}

/// A number of calls in a period of the calendar (UTC), for each API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub limit: u64,
    /// In which period.
    pub period: QuotaPeriod,
}

/// A period of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaPeriod {
    /// From midnight.
    Day,
    /// From Sunday.
    Week,
    /// From the first of the month.
    Month,
}

/// A Lambda authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorizer {
    /// Its name.
    pub name: String,
    /// The function's logical id.
    pub function: String,
    /// What it is given.
    pub kind: AuthorizerKind,
    /// For how long its answers are cached; zero turns the cache off.
    pub ttl: Duration,
}

/// What an authorizer is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizerKind {
    /// One header's value.
    Token {
        /// The header.
        header: String,
        /// A regular expression that the value must match before the function is asked.
        validation: Option<String>,
    },
    /// The whole request without its body.
    Request {
        /// What must be present, and keys the cache.
        sources: Vec<IdentitySource>,
    },
}

/// A part of a request that identifies the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// A header.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A stage variable.
    StageVariable(String),
    /// A member of `$context`, such as `identity.sourceIp`.
    Context(String),
}

/// A customised answer of the gateway itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayResponse {
    /// The status; `None` keeps the default.
    pub status: Option<u16>,
    /// Headers to add.
    pub headers: BTreeMap<String, HeaderValue>,
    /// Bodies by media type.
    pub templates: BTreeMap<String, String>,
}

/// The value of a gateway response's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// Fixed text.
    Literal(String),
    /// A member of `$context`.
    Context(String),
    /// A header of the request.
    RequestHeader(String),
}

/// The kinds of gateway responses, in AWS's spelling as the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "the variants are AWS's own names, see supported-gateway-response-types"
)]
pub enum ResponseType {
    AccessDenied,
    ApiConfigurationError,
    AuthorizerConfigurationError,
    AuthorizerFailure,
    BadRequestBody,
    BadRequestParameters,
    Default4xx,
    Default5xx,
    ExpiredToken,
    IntegrationFailure,
    IntegrationTimeout,
    InvalidApiKey,
    InvalidSignature,
    MissingAuthenticationToken,
    QuotaExceeded,
    RequestTooLarge,
    ResourceNotFound,
    Throttled,
    Unauthorized,
    UnsupportedMediaType,
    WafFiltered,
}

impl ResponseType {
    /// Every type that API Gateway has.
    pub const ALL: [Self; 21] = [
        Self::AccessDenied,
        Self::ApiConfigurationError,
        Self::AuthorizerConfigurationError,
        Self::AuthorizerFailure,
        Self::BadRequestBody,
        Self::BadRequestParameters,
        Self::Default4xx,
        Self::Default5xx,
        Self::ExpiredToken,
        Self::IntegrationFailure,
        Self::IntegrationTimeout,
        Self::InvalidApiKey,
        Self::InvalidSignature,
        Self::MissingAuthenticationToken,
        Self::QuotaExceeded,
        Self::RequestTooLarge,
        Self::ResourceNotFound,
        Self::Throttled,
        Self::Unauthorized,
        Self::UnsupportedMediaType,
        Self::WafFiltered,
    ];

    /// The type of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// AWS's name, as in the template and in `$context.error.responseType`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "ACCESS_DENIED",
            Self::ApiConfigurationError => "API_CONFIGURATION_ERROR",
            Self::AuthorizerConfigurationError => "AUTHORIZER_CONFIGURATION_ERROR",
            Self::AuthorizerFailure => "AUTHORIZER_FAILURE",
            Self::BadRequestBody => "BAD_REQUEST_BODY",
            Self::BadRequestParameters => "BAD_REQUEST_PARAMETERS",
            Self::Default4xx => "DEFAULT_4XX",
            Self::Default5xx => "DEFAULT_5XX",
            Self::ExpiredToken => "EXPIRED_TOKEN",
            Self::IntegrationFailure => "INTEGRATION_FAILURE",
            Self::IntegrationTimeout => "INTEGRATION_TIMEOUT",
            Self::InvalidApiKey => "INVALID_API_KEY",
            Self::InvalidSignature => "INVALID_SIGNATURE",
            Self::MissingAuthenticationToken => "MISSING_AUTHENTICATION_TOKEN",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::RequestTooLarge => "REQUEST_TOO_LARGE",
            Self::ResourceNotFound => "RESOURCE_NOT_FOUND",
            Self::Throttled => "THROTTLED",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::WafFiltered => "WAF_FILTERED",
        }
    }
}
