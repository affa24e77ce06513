//! One line for each refusal of a caller or credential, wherever it is decided: an authorizer, a
//! function's own guard, a client's authentication or a handler (docs/requirements.md, Refusing).
//! Metric filters of `infra/template.yaml` read its `message`, `outcome` and `reason`.
//!
//! A line never holds a credential, nor what a caller put into its path. Where nobody logged why,
//! the door of an HTTP function ([`crate::lambda::catch_panics_and_timeouts`]) logs the
//! `message_code` of an answer 401 or 403, so no handler can forget to.

use std::{cell::Cell, net::IpAddr};

use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};
use domain::{error::Kind, ids::ClientId};
use http::Method;
use tracing::field::display;

use crate::{caller::Caller, dialect, proxy::SourceIpTrust, request::Facts};

/// What becomes of a call or a credential that does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The caller is known and may not make this call.
    Denied,
    /// The credential is missing, wrong or ended.
    Unauthorized,
    /// The credential was not used but asked about (RFC 7662), and does not work.
    Inactive,
    /// Nobody can tell right now: our fault, and not the caller's.
    Unavailable,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Unauthorized => "unauthorized",
            Self::Inactive => "inactive",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The call that a refusal is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    /// Where it comes from, if that is known.
    pub source_ip: Option<IpAddr>,
    /// How its address came about.
    pub source_ip_trust: SourceIpTrust,
    /// The gateway's id of it.
    pub request_id: Option<&'a str>,
    /// The route's template, such as `GET /api/banks/{guid}`.
    pub route: Option<&'a str>,
}

impl<'a> From<&'a Facts> for Call<'a> {
    fn from(facts: &'a Facts) -> Self {
        Self {
            source_ip: facts.source_ip,
            source_ip_trust: facts.source_ip_trust,
            request_id: facts.request_id.as_deref(),
            route: None,
        }
    }
}

tokio::task_local! {
    /// The request that this task of an HTTP function answers.
    static ANSWERING: Answering;
}

struct Answering {
    facts: Facts,
    route: Option<String>,
    client_id: Cell<Option<ClientId>>,
    is_logged: Cell<bool>,
}

/// Marks an answer by which a caller is refused.
#[derive(Clone, Copy)]
struct RefusalKind(Kind);

/// Logs a refusal. `reason` is a word of a closed vocabulary, `client_id` the key that was named or
/// proved. Within an HTTP function the route is the one that was called, not the one that a guard
/// decided by.
pub fn log(outcome: Outcome, reason: &str, client_id: Option<ClientId>, call: &Call<'_>) {
    let called = ANSWERING.try_with(|answering| {
        answering.is_logged.set(true);
        answering.route.clone()
    });
    let called = called.ok().flatten();
    let client_id = client_id.map(display);
    let source_ip = call.source_ip.map(display);
    let via = (call.source_ip_trust == SourceIpTrust::Proxied).then_some("proxy");
    let (request_id, route) = (call.request_id, called.as_deref().or(call.route));
    let is_ours = outcome == Outcome::Unavailable;
    let outcome = outcome.name();
    if is_ours {
        tracing::error!(
            outcome, reason, client_id, source_ip, via, request_id, route, "refused"
        );
    } else {
        tracing::warn!(
            outcome, reason, client_id, source_ip, via, request_id, route, "refused"
        );
    }
}

/// Logs a refusal of the request that this task of an HTTP function answers; outside of one, a
/// refusal of an unknown call.
pub fn log_here(outcome: Outcome, reason: &str, client_id: Option<ClientId>) {
    let logged = ANSWERING.try_with(|answering| {
        log(outcome, reason, client_id, &answering.call());
    });
    if logged.is_err() {
        log(outcome, reason, client_id, &Call::default());
    }
}

/// Remembers which key proved itself, for a refusal of it that a handler answers later.
pub fn note_client(client_id: ClientId) {
    let _ = ANSWERING.try_with(|answering| answering.client_id.set(Some(client_id)));
}

/// Waits for the answer to a request, and logs a refusal that nobody logged meanwhile.
pub(crate) async fn logged(answers: Answers, response: impl Future<Output = Response>) -> Response {
    ANSWERING
        .scope(answers.0, async {
            let response = response.await;
            if let Some(RefusalKind(kind)) = response.extensions().get() {
                log_answer(*kind);
            }
            response
        })
        .await
}

/// What the door knows of a request, for the lines about it.
pub(crate) struct Answers(Answering);

impl Answers {
    pub(crate) fn to(request: &Request) -> Self {
        let extensions = request.extensions();
        let caller = Caller::of(extensions).ok().flatten();
        Self(Answering {
            facts: Facts::of(extensions),
            route: route(request.method(), extensions.get()),
            client_id: Cell::new(caller.map(|caller| caller.client_id)),
            is_logged: Cell::new(false),
        })
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.0.facts.request_id.as_deref()
    }
}

impl Answering {
    fn call(&self) -> Call<'_> {
        Call::from(&self.facts)
    }
}

/// The template of the route. A method that is none of HTTP's own is any word of the caller's.
fn route(method: &Method, path: Option<&MatchedPath>) -> Option<String> {
    let standard = [
        Method::DELETE,
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::POST,
        Method::PUT,
    ];
    path.filter(|_| standard.contains(method))
        .map(|path| format!("{method} {}", path.as_str()))
}

fn log_answer(kind: Kind) {
    let (status, _, reason) = dialect::management(kind);
    let outcome = if status == http::StatusCode::UNAUTHORIZED {
        Outcome::Unauthorized
    } else {
        Outcome::Denied
    };
    let client =
        ANSWERING.with(|answering| (!answering.is_logged.get()).then(|| answering.client_id.get()));
    if let Some(client_id) = client {
        log_here(outcome, reason, client_id);
    }
}

/// Marks an answer of this kind, where it refuses a caller. What is asked for wrongly, what is not
/// there and what stands in the way refuses nobody.
pub(crate) fn mark(response: &mut Response, kind: Kind) {
    let refuses = matches!(
        kind,
        Kind::InvalidClient
            | Kind::UnauthorizedClient
            | Kind::AuthenticationFailed
            | Kind::IpNotAllowed
            | Kind::IpUnknown
            | Kind::InsufficientScope
            | Kind::Forbidden
            | Kind::PlanUpgradeRequired
    );
    if refuses {
        response.extensions_mut().insert(RefusalKind(kind));
    }
}
