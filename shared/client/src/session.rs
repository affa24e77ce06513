//! A deployment and somebody whom it knows.

use std::{fmt, sync::Arc, time::Duration};

use domain::time::{Clock, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header::AUTHORIZATION};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::{Answer, Deployment, Error, sensitive};

/// A token is given up this long before it expires, or a call would be under way when it does.
const EXPIRY_MARGIN: Duration = Duration::from_mins(1);

/// How somebody proves who they are. It cannot be printed.
pub enum Credential {
    /// A key's `client_id` and secret, which get tokens (RFC 6749 §4.4).
    Client {
        /// `client_id`.
        id: String,
        /// Its secret.
        secret: Zeroizing<String>,
    },
    /// What is sent as it is: a token, or the secret of a personal key.
    Bearer(Zeroizing<String>),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client { .. } => "Client",
            Self::Bearer(_) => "Bearer",
        })
    }
}

/// A deployment and somebody whom it knows. Tokens are got when they are needed, and kept until
/// they nearly expire.
pub struct Session {
    deployment: Arc<Deployment>,
    credential: Credential,
    clock: Clock,
    token: Mutex<Option<Token>>,
}

struct Token {
    authorization: HeaderValue,
    until: Timestamp,
}

impl Deployment {
    /// The answer to a token request (RFC 6749 §4.4), token included; all scopes of the key where
    /// none are named.
    ///
    /// # Errors
    /// That it was refused, or not answered.
    pub async fn request_token(
        &self,
        client_id: &str,
        secret: &str,
        scope: Option<&str>,
    ) -> Result<Value, Error> {
        let mut body = json!({
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
        });
        if let Some(scope) = scope {
            body["scope"] = scope.into();
        }
        self.send(Method::POST, "/oauth/token", HeaderMap::new(), Some(&body))
            .await?
            .json()
    }
}

impl Session {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(deployment: Arc<Deployment>, credential: Credential, clock: Clock) -> Self {
        Self {
            deployment,
            credential,
            clock,
            token: Mutex::new(None),
        }
    }

    /// The deployment.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// What calls are made with: the bearer itself, or a token, a new one if there is none that
    /// lasts.
    ///
    /// # Errors
    /// That a token was refused, or not answered.
    pub async fn authorization(&self) -> Result<HeaderValue, Error> {
        let (id, secret) = match &self.credential {
            Credential::Bearer(bearer) => return bearer_of(bearer),
            Credential::Client { id, secret } => (id, secret),
        };
        let mut kept = self.token.lock().await;
        let now = (self.clock)();
        if let Some(token) = kept.as_ref().filter(|token| now < token.until) {
            return Ok(token.authorization.clone());
        }
        let answer = self.deployment.request_token(id, secret, None).await?;
        let (Some(text), Some(expires_in)) = (
            answer["access_token"].as_str(),
            answer["expires_in"].as_u64(),
        ) else {
            return Err(Error::Foreign { status: 200 });
        };
        let authorization = bearer_of(text)?;
        let until = now + Duration::from_secs(expires_in).saturating_sub(EXPIRY_MARGIN);
        *kept = Some(Token {
            authorization: authorization.clone(),
            until,
        });
        Ok(authorization)
    }

    /// The JSON of a call that succeeded.
    ///
    /// # Errors
    /// That it was refused, or not answered.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        self.send(method, path, HeaderMap::new(), body)
            .await?
            .json()
    }

    /// A create that a repetition under the same `key` does not make twice.
    ///
    /// # Errors
    /// That it was not answered, or `key` has characters that no header can have.
    pub async fn create(&self, path: &str, body: &Value, key: &str) -> Result<Answer, Error> {
        let key = HeaderValue::from_str(key).map_err(|_| Error::Header {
            what: "the idempotency key",
        })?;
        let headers = [(HeaderName::from_static("idempotency-key"), key)]
            .into_iter()
            .collect();
        self.send(Method::POST, path, headers, Some(body)).await
    }

    /// The answer to a call, whatever its status. A token that the deployment no longer knows is
    /// given up, so that the next call gets another.
    ///
    /// # Errors
    /// That it was not answered, or that there is no token.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        headers.insert(AUTHORIZATION, self.authorization().await?);
        let answer = self.deployment.send(method, path, headers, body).await?;
        if answer.status() == 401 {
            *self.token.lock().await = None;
        }
        Ok(answer)
    }
}

fn bearer_of(text: &str) -> Result<HeaderValue, Error> {
    sensitive(
        &Zeroizing::new(format!("Bearer {text}")),
        "the bearer credential",
    )
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            deployment,
            credential,
            ..
        } = self;
        f.debug_struct("Session")
            .field("deployment", deployment)
            .field("credential", credential)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use axum::{
        Json, Router,
        http::StatusCode,
        routing::{get, post},
    };
    use tokio::net::TcpListener;

    use super::*;

    /// A deployment whose tokens live for ten minutes and say how many were given before.
    async fn deployment(given: Arc<AtomicUsize>) -> Arc<Deployment> {
        let token = move || async move {
            let text = format!("token-{}", given.fetch_add(1, Ordering::Relaxed));
            Json(json!({"access_token": text, "expires_in": 600}))
        };
        let shown = |headers: HeaderMap| async move {
            let shown = headers[AUTHORIZATION].to_str().unwrap().to_owned();
            (
                if shown == "Bearer token-1" {
                    StatusCode::UNAUTHORIZED
                } else {
                    StatusCode::OK
                },
                Json(json!({"shown": shown})),
            )
        };
        let routes = Router::new()
            .route("/oauth/token", post(token))
            .route("/shown", get(shown));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Arc::new(Deployment::at(&format!("http://{address}")).unwrap())
    }

    #[tokio::test]
    async fn a_token_is_kept_until_it_nearly_expires_or_is_refused() {
        let (given, now) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicI64::new(1_000)),
        );
        let clock: Clock = Arc::new({
            let now = now.clone();
            move || Timestamp::from_seconds(now.load(Ordering::Relaxed))
        });
        let credential = Credential::Client {
            id: "id".into(),
            secret: Zeroizing::new("secret".into()),
        };
        let session = Session::new(deployment(given.clone()).await, credential, clock);
        let shown = async || {
            Some(
                session.call(Method::GET, "/shown", None).await.ok()?["shown"]
                    .as_str()?
                    .to_owned(),
            )
        };

        assert_eq!(shown().await.as_deref(), Some("Bearer token-0"));
        now.store(1_539, Ordering::Relaxed);
        assert_eq!(shown().await.as_deref(), Some("Bearer token-0"));
        now.store(1_540, Ordering::Relaxed);
        assert_eq!(shown().await, None, "another one, which is refused");
        assert_eq!(shown().await.as_deref(), Some("Bearer token-2"));
        assert!(!format!("{session:?}").contains("secret"));
    }

    #[tokio::test]
    async fn a_bearer_is_sent_as_it_is() {
        let given = Arc::new(AtomicUsize::new(0));
        let credential = Credential::Bearer(Zeroizing::new("mine".into()));
        let session = Session::new(
            deployment(given.clone()).await,
            credential,
            Arc::new(|| Timestamp::LAST),
        );
        assert_eq!(
            session.call(Method::GET, "/shown", None).await.unwrap()["shown"],
            "Bearer mine"
        );
        assert_eq!(given.load(Ordering::Relaxed), 0);
    }
}
