//! What anybody sees over HTTP, and what a credential opens.

mod calls;
mod credential;
mod keys;
mod routes;
mod server;

use std::sync::Arc;

use client::{Deployment, Error};
use domain::time::{Clock, Timestamp};
use http::{HeaderMap, HeaderValue, Method, header};
use runtime::{Ambient, Entropy, Env};

use self::calls::Calls;
use super::{
    URL,
    expected::Expected,
    report::{Report, Trouble},
};

/// Whoever looks from outside.
pub(super) struct Outside<'a> {
    calls: Calls,
    expected: &'a Expected,
    env: &'a Env,
    entropy: Entropy,
    /// The names of the keys that verify tokens.
    published: Option<Vec<String>>,
}

/// A call that was refused, whose line in the access log is to be found.
#[derive(Clone, Debug)]
pub(in super::super) struct Denied {
    /// How API Gateway names it.
    pub(in super::super) request_id: String,
    /// Not before this moment, by the own clock.
    pub(in super::super) sent: Timestamp,
    /// The status that was answered.
    pub(in super::super) status: u16,
    /// What stood in the credential, the query and the user agent, and must not stand in a log.
    pub(in super::super) marker: String,
    /// The reason that was answered, where the authorizer gave one.
    pub(in super::super) message_code: Option<String>,
}

impl<'a> Outside<'a> {
    pub(super) fn new(
        deployment: Deployment,
        expected: &'a Expected,
        env: &'a Env,
        ambient: &Ambient,
    ) -> Self {
        let calls = Calls::new(Arc::new(deployment), Clock::clone(&ambient.clock));
        Self {
            calls,
            expected,
            env,
            entropy: ambient.entropy.clone(),
            published: None,
        }
    }

    /// Makes every check; gives the refused call that the access log must know.
    pub(super) async fn examine(&mut self, report: &mut Report) -> Result<Denied, Trouble> {
        report.add(server::REACHABLE, server::reachable(&self.calls).await);
        report.add(server::TLS, server::tls(&self.calls));
        report.add(server::CLOCK, server::clock(&self.calls));
        report.add(
            server::ISSUER,
            server::issuer(&self.calls, self.env.optional(URL)).await,
        );
        let (outcome, published) = keys::published(&self.calls).await;
        report.add(keys::JWKS, outcome);
        self.published = published;
        report.add(
            routes::GUARDED,
            routes::guarded(&self.calls, self.expected).await,
        );
        report.add(
            routes::PUBLIC,
            routes::public(&self.calls, self.expected).await,
        );
        report.add(
            routes::METHODS,
            routes::methods(&self.calls, self.expected).await,
        );
        report.add(
            routes::UNMATCHED,
            routes::unmatched(&self.calls, self.expected).await,
        );
        let (outcome, mut denied) = self.broken_token().await;
        report.add(routes::BROKEN_TOKEN, outcome);
        report.add(server::NO_STORE, server::no_store(&self.calls));
        let (outcome, token) =
            credential::token(&self.calls, self.env, self.published.as_deref()).await;
        report.add(credential::TOKEN, outcome);
        report.add(
            credential::WHOAMI,
            credential::whoami(&self.calls, token.as_ref()).await,
        );
        let (outcome, refused) =
            credential::refused(&self.calls, token.as_ref(), &self.marker()).await;
        report.add(credential::DENIAL, outcome);
        // A denial with a reason of its own tells more than a 401.
        if refused.is_ok() {
            denied = refused;
        }
        denied
    }

    /// The names of the keys that the deployment publishes, if it does.
    pub(super) fn published(&self) -> Option<&[String]> {
        self.published.as_deref()
    }

    async fn broken_token(&self) -> (super::report::Outcome, Result<Denied, Trouble>) {
        routes::broken_token(
            &self.calls,
            self.expected,
            &self.marker(),
            self.env.optional("LATCHKEY_BRAND"),
        )
        .await
    }

    /// A word that nobody else sends.
    fn marker(&self) -> String {
        format!("doctor{}", self.entropy.guid())
    }
}

/// The headers of a call with this credential, which also carries a word that no log may have.
fn marked(credential: &str, marker: &str) -> Result<HeaderMap, Trouble> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::AUTHORIZATION,
        client::sensitive(credential, "the credential")?,
    );
    let agent = HeaderValue::from_str(&format!("latchkey-doctor/{marker}"));
    headers.insert(
        header::USER_AGENT,
        agent.map_err(|_| Trouble::Unknown("no marker can be sent".into()))?,
    );
    Ok(headers)
}

/// The path of this call with the word in its query.
fn asking(path: &str, marker: &str) -> String {
    format!("{path}?doctor={marker}")
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Unknown(error.to_string())
    }
}

/// How a call is named in findings.
fn named(method: &Method, path: &str) -> String {
    format!("{method} {path}")
}
