//! HTTP for the client's commands, by the connector that the AWS SDK clients bring anyway: one TLS stack, one set of roots.

use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use domain::error::causes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use serde_json::Value;
use web::StartError;

const CONNECT: Duration = Duration::from_secs(5);
/// Longer than the gateway's own patience.
const ANSWER: Duration = Duration::from_secs(40);

/// A deployment, by where it answers.
pub(super) struct Deployment {
    connector: Connector,
    base_url: String,
}

/// An answer, read whole.
pub(super) struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Deployment {
    pub(super) fn at(url: &str) -> Result<Self, StartError> {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).read_timeout(ANSWER).build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .sleep_impl(TokioSleep::new())
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build();
        Ok(Self { connector, base_url: base(url)? })
    }

    /// Sends a request and waits for the whole answer. The error is that there is none; nobody knows what became of the request.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<&Value>,
    ) -> Result<Answer, StartError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base_url));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(SdkBody::empty, |body| SdkBody::from(body.to_string()));
        let mut request = request.body(body)?;
        request.headers_mut().extend(headers);
        let none = |problem: String| format!("no answer from {}: {problem}", self.base_url);
        let answer = self.connector.call(request.try_into()?).await.map_err(|error| none(causes(&error)))?;
        let answer = answer.try_into_http1x()?;
        let (parts, body) = answer.into_parts();
        let body = ByteStream::new(body).collect().await.map_err(|error| none(causes(&error)))?;
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_vec() })
    }
}

/// A base without its last slash. Credentials travel in the clear to the own machine alone.
fn base(url: &str) -> Result<String, StartError> {
    let uri = url.parse::<Uri>().ok().filter(|uri| {
        let loopback = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let scheme = uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && loopback);
        let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        scheme && plain && uri.query().is_none()
    });
    // Not repeated: it may have had a password in it.
    uri.ok_or("the deployment's URL must be https (http on loopback), without user, password or query")?;
    Ok(url.trim_end_matches('/').to_owned())
}

impl Answer {
    /// The JSON of a success; of a refusal what the API says about it.
    pub(super) fn json(&self) -> Result<Value, StartError> {
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        match (body, self.status) {
            (Some(body), 200..=299) => Ok(body),
            (Some(body), status) => Err(refusal(status, &body).into()),
            (None, status) => Err(format!("{status}: the answer is no JSON; is this a deployment of Latchkey?").into()),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// In both spellings of errors: that of the management API and RFC 6749's.
fn refusal(status: u16, body: &Value) -> String {
    let text = |names: [&str; 2]| names.into_iter().find_map(|name| body[name].as_str()).unwrap_or("unexplained").to_owned();
    let (code, message) = (text(["message_code", "error"]), text(["message", "error_description"]));
    let field = |error: &Value| Some(format!("\n  {} {}", error["field"].as_str()?, error["reason"].as_str()?));
    let fields: String = body["errors"].as_array().into_iter().flatten().filter_map(field).collect();
    format!("{status} {code}: {message}{fields}")
}

/// A value that no log of headers shows.
pub(super) fn sensitive(text: &str, what: &str) -> Result<HeaderValue, StartError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| format!("{what} has characters that no header can have"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_go_over_https_or_to_this_machine() {
        for good in ["https://auth.example.com", "https://x.example.com/main/", "http://127.0.0.1:8787", "http://localhost:1/"] {
            assert_eq!(base(good).unwrap(), good.trim_end_matches('/'));
        }
        for bad in
            ["http://auth.example.com", "ftp://localhost", "https://me:word@example.com", "https://a.example/?x=1", "", "a b"]
        {
            let error = base(bad).unwrap_err().to_string();
            assert!(!error.contains("word@"), "{error}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_api_says() {
        let body =
            json!({"message_code": "invalid_parameter", "message": "Wrong", "errors": [{"field": "name", "reason": "is long"}]});
        assert_eq!(refusal(422, &body), "422 invalid_parameter: Wrong\n  name is long");
        let body = json!({"error": "invalid_client", "error_description": "No"});
        assert_eq!(refusal(401, &body), "401 invalid_client: No");
    }
}
