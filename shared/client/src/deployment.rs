//! A deployment, by where it answers.

use std::{fmt, time::Duration};

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

use crate::{Answer, Error};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the gateway's own timeout.
const READ_TIMEOUT: Duration = Duration::from_secs(40);

/// A deployment, by where it answers.
pub struct Deployment {
    connector: Connector,
    base_url: String,
}

impl Deployment {
    /// The deployment at this URL: https, or http on loopback, without user, password or query.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn at(url: &str) -> Result<Self, Error> {
        Self::within(url, READ_TIMEOUT)
    }

    /// The deployment at this URL, each answer of which is waited for so long at most.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn within(url: &str, timeout: Duration) -> Result<Self, Error> {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(timeout)
            .build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .sleep_impl(TokioSleep::new())
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build();
        Ok(Self {
            connector,
            base_url: base(url)?,
        })
    }

    /// Where it answers, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base_url
    }

    /// Sends a request and waits for the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`Error::NoAnswer`]: nobody knows what became of the request.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_url));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(SdkBody::empty, |body| SdkBody::from(body.to_string()));
        let none = |cause: String| Error::NoAnswer {
            deployment: self.base_url.clone(),
            cause,
        };
        let mut request = request.body(body).map_err(|error| none(causes(&error)))?;
        request.headers_mut().extend(headers);
        let request = request.try_into().map_err(|error| none(causes(&error)))?;
        let answer = self
            .connector
            .call(request)
            .await
            .map_err(|error| none(causes(&error)))?;
        let answer = answer
            .try_into_http1x()
            .map_err(|error| none(causes(&error)))?;
        let (parts, body) = answer.into_parts();
        let body = ByteStream::new(body)
            .collect()
            .await
            .map_err(|error| none(causes(&error)))?;
        Ok(Answer::new(
            parts.status.as_u16(),
            parts.headers,
            body.to_vec(),
        ))
    }
}

/// Nothing but the address: a connector's form has the settings of its proxies.
impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deployment").field(&self.base_url).finish()
    }
}

/// A base without its last slash. Credentials travel in the clear to the own machine alone.
fn base(url: &str) -> Result<String, Error> {
    let uri = url.parse::<Uri>().ok().filter(|uri| {
        let loopback = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let scheme =
            uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && loopback);
        let plain = uri
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'));
        scheme && plain && uri.query().is_none()
    });
    // Not repeated: it may have had a password in it.
    uri.ok_or(Error::Address)?;
    Ok(url.trim_end_matches('/').to_owned())
}

/// A value that no log of headers shows.
///
/// # Errors
/// [`Error::Header`] when it has characters that no header can have.
pub fn sensitive(text: &str, what: &'static str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Error::Header { what })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_over_https_or_to_this_machine() {
        for good in [
            "https://auth.example.com",
            "https://x.example.com/main/",
            "http://127.0.0.1:8787",
            "http://localhost:1/",
        ] {
            assert_eq!(base(good).unwrap(), good.trim_end_matches('/'));
        }
        for bad in [
            "http://auth.example.com",
            "ftp://localhost",
            "https://me:word@example.com",
            "https://a.example/?x=1",
            "",
            "a b",
        ] {
            let error = base(bad).unwrap_err().to_string();
            assert!(!error.contains("word@"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_deployment_that_is_not_there_is_no_answer() {
        // Port 1 is nobody's.
        let deployment = Deployment::at("http://127.0.0.1:1").unwrap();
        let error = deployment
            .send(Method::GET, "/", HeaderMap::new(), None)
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::NoAnswer { .. })
                && error.to_string().contains("http://127.0.0.1:1"),
            "{error}"
        );
    }
}
