//! Who calls, and what they are told.

use std::time::{Duration, Instant};

use domain::feed::Rules;
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;

/// The shortest time after which a function gives up a read: what an authorizer allows a page of
/// the feed.
pub const SHORTEST_TIMEOUT: Duration = Rules::STANDARD.page_time;

/// How often a call is sent again for which the machine was too slow.
pub(crate) const RESENDS: usize = 20;

/// A caller of the platform's HTTP API.
#[derive(Clone, Debug)]
pub struct Caller {
    http: reqwest::Client,
    base_url: String,
    token: Option<String>,
    address: Option<String>,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, when it is JSON.
    pub body: Value,
    /// The body.
    pub text: String,
}

impl Caller {
    /// Somebody without a credential, who calls this address.
    pub fn new(http: reqwest::Client, base_url: &str) -> Self {
        Self {
            http,
            base_url: base_url.to_owned(),
            token: None,
            address: None,
        }
    }

    /// The same caller with a token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self
        }
    }

    /// The same caller from another address.
    #[must_use]
    pub fn from(&self, address: &str) -> Self {
        Self {
            address: Some(address.to_owned()),
            ..self.clone()
        }
    }

    /// The same caller of another gateway.
    #[must_use]
    pub fn at(&self, base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            ..self.clone()
        }
    }

    /// The token that it sends.
    #[must_use]
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// A request under construction, with this caller's token and address.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base_url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(address) = &self.address {
            request = request.header("X-Local-Source-Ip", address);
        }
        request
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// POST of JSON with further headers, such as `Idempotency-Key`.
    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let request = self.request(Method::POST, path).json(body);
        Answer::of(headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        }))
        .await
    }

    /// POST of a form.
    pub async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = form
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("&");
        Answer::of(
            self.request(Method::POST, path)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body),
        )
        .await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body)).await
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }
}

impl Answer {
    /// Sends a request and reads the whole answer.
    ///
    /// An authorizer gives up a read of the feed after [`SHORTEST_TIMEOUT`], and refuses with 503
    /// what it cannot decide without (CBM-4). On a busy machine that may happen to any call, and
    /// says nothing about the platform: such a call is sent again, as `Retry-After` asks for. Only
    /// where nothing was done, and only after an answer that took so long: a 503 that came sooner
    /// has another cause.
    pub async fn of(request: RequestBuilder) -> Self {
        let (http, request) = request.build_split();
        let request = request.expect("a request");
        for _ in 0..RESENDS {
            let Some(copy) = request.try_clone() else {
                break;
            };
            #[expect(
                clippy::disallowed_methods,
                reason = "how long the machine took is real time"
            )]
            let (sent, answer) = (Instant::now(), Self::read(&http, copy).await);
            #[expect(
                clippy::disallowed_methods,
                reason = "how long the machine took is real time"
            )]
            let is_late = sent.elapsed() >= SHORTEST_TIMEOUT;
            let did_nothing = request.method().is_safe()
                || answer.header("x-amzn-errortype") == "AuthorizerFailureException";
            if !(is_late && did_nothing && answer.status == StatusCode::SERVICE_UNAVAILABLE) {
                return answer;
            }
        }
        Self::read(&http, request).await
    }

    async fn read(http: &reqwest::Client, request: reqwest::Request) -> Self {
        let answer = http.execute(request).await.expect("the gateway answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("a body of text");
        Self {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Asserts status and `message_code`, and the members that every error of the management API
    /// and the gateway has.
    #[track_caller]
    pub fn assert_error(&self, status: u16, message_code: &str) -> &Self {
        assert_eq!(
            (self.status, self.body["message_code"].as_str()),
            (status, Some(message_code)),
            "{self:?}"
        );
        assert_eq!(self.body["status"], status, "{self:?}");
        for member in ["error", "message", "error_message"] {
            assert!(
                self.body[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "no {member}: {self:?}"
            );
        }
        self
    }

    /// Asserts a 422 that refuses this member for a reason with these words in it.
    #[track_caller]
    pub fn assert_field(&self, field: &str, words: &str) -> &Self {
        self.assert_error(422, "invalid_parameter");
        let errors = self.body["errors"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let reason = errors
            .iter()
            .find(|error| error["field"] == field)
            .and_then(|error| error["reason"].as_str());
        assert!(
            reason.is_some_and(|reason| reason.contains(words)),
            "no {field} that {words}: {self:?}"
        );
        self
    }

    /// Asserts status and `error` of an OAuth endpoint.
    #[track_caller]
    pub fn assert_oauth_error(&self, status: u16, error: &str) -> &Self {
        assert_eq!(
            (self.status, self.body["error"].as_str()),
            (status, Some(error)),
            "{self:?}"
        );
        assert!(self.body["error_description"].is_string(), "{self:?}");
        assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
        self
    }
}
