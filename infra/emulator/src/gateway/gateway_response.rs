//! The gateway's own answers: AWS's defaults, what the template makes of them, and the substitution
//! of `$context`.
//!
//! Substitution puts values in as they are. It escapes nothing and runs nothing, as on AWS, so the
//! values that a template mentions must be harmless by themselves (docs/requirements.md, Refusing).

use sam::template::{GatewayResponse, HeaderValue, ResponseType, RestApi};
use serde_json::{Map, Value, json};

use super::{
    call::Call,
    reply::{Reply, Wire},
};

/// Why the gateway answers instead of a function.
#[derive(Debug, PartialEq)]
pub(super) struct GatewayError {
    pub(super) kind: ResponseType,
    /// For the log: a fixed phrase or an error's type.
    pub(super) reason: String,
    status: Option<u16>,
    message: Option<&'static str>,
    authorizer: Map<String, Value>,
}

impl GatewayError {
    pub(super) fn new(kind: ResponseType, message: &'static str) -> Self {
        Self {
            kind,
            reason: String::new(),
            status: None,
            message: Some(message),
            authorizer: Map::new(),
        }
    }

    /// For the failures of authorizers, whose message is null.
    pub(super) fn silent(kind: ResponseType) -> Self {
        Self {
            message: None,
            ..Self::new(kind, "")
        }
    }

    pub(super) fn with_status(self, status: u16) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    pub(super) fn with_authorizer(self, authorizer: Map<String, Value>) -> Self {
        Self { authorizer, ..self }
    }

    pub(super) fn because(self, reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            ..self
        }
    }

    /// `$context.error`.
    pub(super) fn error(&self) -> Value {
        json!({
            "message": self.message,
            "messageString": json!(self.message).to_string(),
            "responseType": self.kind.name(),
        })
    }

    /// `$context.authorizer`: what the authorizer says of a caller whom it denies.
    pub(super) fn authorizer(&self) -> Map<String, Value> {
        self.authorizer.clone()
    }

    /// Whether the authorizer failed or threw, so that its answer has no context.
    pub(super) fn is_of_authorizer(&self) -> bool {
        use ResponseType::{AuthorizerConfigurationError, AuthorizerFailure, Unauthorized};
        matches!(
            self.kind,
            AuthorizerConfigurationError | AuthorizerFailure | Unauthorized
        )
    }

    /// The response, with `context` being `$context` so far.
    pub(super) fn reply(
        &self,
        api: &RestApi,
        call: &Call,
        mut context: Map<String, Value>,
    ) -> Reply {
        context.insert("error".into(), self.error());
        context.insert("authorizer".into(), Value::Object(self.authorizer()));
        let context = Value::Object(context);
        let status = self.status.unwrap_or_else(|| default_status(self.kind));
        let custom = api.gateway_responses.get(&self.kind).or_else(|| {
            let class = if status < 500 {
                ResponseType::Default4xx
            } else {
                ResponseType::Default5xx
            };
            api.gateway_responses.get(&class)
        });
        let mut headers: Vec<Wire> =
            vec![("x-amzn-errortype".into(), error_type(self.kind).into())];
        let Some(custom) = custom else {
            headers.push(("content-type".into(), "application/json".into()));
            return Reply {
                status,
                headers,
                body: self.default_body().into_bytes(),
            };
        };
        let (media_type, body) = match template(custom, call.header("accept")) {
            Some((media_type, template)) => (media_type, substitute(template, &context, api, "")),
            None => ("application/json", self.default_body()),
        };
        headers.push(("content-type".into(), media_type.into()));
        for (name, value) in &custom.headers {
            let name = name.to_ascii_lowercase();
            let value = match value {
                HeaderValue::Literal(text) => Some(text.clone()),
                HeaderValue::Context(path) => lookup(&context, path),
                HeaderValue::RequestHeader(name) => call.header(name).map(str::to_owned),
            };
            if let Some(value) = value {
                headers.retain(|(known, _)| *known != name);
                headers.push((name, value));
            }
        }
        Reply {
            status: custom.status.unwrap_or(status),
            headers,
            body: body.into_bytes(),
        }
    }

    /// `{"message":…}`, but `{"Message":…}` when access is denied (observed on AWS).
    fn default_body(&self) -> String {
        let member = if self.kind == ResponseType::AccessDenied {
            "Message"
        } else {
            "message"
        };
        json!({ member: self.message }).to_string()
    }
}

/// A member of `$context` as text; nothing for what is absent or null.
pub(super) fn lookup(context: &Value, path: &str) -> Option<String> {
    match path
        .split('.')
        .try_fold(context, |value, name| value.get(name))?
    {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The template for the first media type that the client accepts; JSON for clients that want none
/// of them.
fn template<'a>(custom: &'a GatewayResponse, accept: Option<&str>) -> Option<(&'a str, &'a str)> {
    let accepted = accept
        .and_then(|accept| accept.split([',', ';']).next())
        .map(str::trim);
    let templates = &custom.templates;
    let entry = |media_type: &str| templates.get_key_value(media_type);
    let chosen = accepted
        .and_then(entry)
        .or_else(|| entry("application/json"))
        .or_else(|| templates.iter().next());
    chosen.map(|(media_type, template)| (media_type.as_str(), template.as_str()))
}

/// Replaces `$context.…` and `$stageVariables.…`; what is unknown becomes `absent`.
pub(super) fn substitute(template: &str, context: &Value, api: &RestApi, absent: &str) -> String {
    let stage_variables = json!(api.stage_variables);
    let mut result = String::new();
    let mut rest = template;
    while let Some(start) = rest.find('$') {
        result.push_str(&rest[..start]);
        rest = &rest[start..];
        let found = [
            ("$context.", context),
            ("$stageVariables.", &stage_variables),
        ]
        .into_iter()
        .find_map(|(prefix, values)| Some((prefix.len(), rest.strip_prefix(prefix)?, values)));
        match found {
            Some((prefix, after, values)) if path_length(after) > 0 => {
                let length = path_length(after);
                result.push_str(
                    &lookup(values, &after[..length]).unwrap_or_else(|| absent.to_owned()),
                );
                rest = &rest[prefix + length..];
            }
            _ => {
                result.push('$');
                rest = &rest[1..];
            }
        }
    }
    result.push_str(rest);
    result
}

/// How far a variable's path goes: names joined by single dots, so that a full stop after it stays
/// text.
fn path_length(text: &str) -> usize {
    let name =
        |text: &str| text.find(|next: char| !(next.is_ascii_alphanumeric() || "_-".contains(next)));
    let mut length = name(text).unwrap_or(text.len());
    while length > 0 {
        let Some(after) = text[length..].strip_prefix('.') else {
            break;
        };
        match name(after).unwrap_or(after.len()) {
            0 => break,
            more => length += 1 + more,
        }
    }
    length
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>
fn default_status(kind: ResponseType) -> u16 {
    match kind {
        ResponseType::BadRequestBody
        | ResponseType::BadRequestParameters
        | ResponseType::Default4xx => 400,
        ResponseType::Unauthorized => 401,
        ResponseType::AccessDenied
        | ResponseType::ExpiredToken
        | ResponseType::InvalidApiKey
        | ResponseType::InvalidSignature
        | ResponseType::MissingAuthenticationToken
        | ResponseType::WafFiltered => 403,
        ResponseType::ResourceNotFound => 404,
        ResponseType::RequestTooLarge => 413,
        ResponseType::UnsupportedMediaType => 415,
        ResponseType::QuotaExceeded | ResponseType::Throttled => 429,
        ResponseType::ApiConfigurationError
        | ResponseType::AuthorizerConfigurationError
        | ResponseType::AuthorizerFailure
        | ResponseType::Default5xx => 500,
        ResponseType::IntegrationFailure | ResponseType::IntegrationTimeout => 504,
    }
}

/// `x-amzn-ErrorType`.
fn error_type(kind: ResponseType) -> &'static str {
    match kind {
        ResponseType::AccessDenied => "AccessDeniedException",
        ResponseType::ApiConfigurationError => "ApiConfigurationException",
        ResponseType::AuthorizerConfigurationError => "AuthorizerConfigurationException",
        ResponseType::AuthorizerFailure => "AuthorizerFailureException",
        ResponseType::BadRequestBody
        | ResponseType::BadRequestParameters
        | ResponseType::Default4xx
        | ResponseType::UnsupportedMediaType => "BadRequestException",
        ResponseType::Default5xx
        | ResponseType::IntegrationFailure
        | ResponseType::IntegrationTimeout => "InternalServerErrorException",
        ResponseType::ExpiredToken => "ExpiredTokenException",
        ResponseType::InvalidApiKey | ResponseType::WafFiltered => "ForbiddenException",
        ResponseType::InvalidSignature => "InvalidSignatureException",
        ResponseType::MissingAuthenticationToken => "MissingAuthenticationTokenException",
        ResponseType::QuotaExceeded => "LimitExceededException",
        ResponseType::RequestTooLarge => "RequestTooLargeException",
        ResponseType::ResourceNotFound => "NotFoundException",
        ResponseType::Throttled => "TooManyRequestsException",
        ResponseType::Unauthorized => "UnauthorizedException",
    }
}
