//! What is to be decided: one request, whichever event or caller it came from.

use std::net::IpAddr;

use domain::time::Timestamp;
use web::proxy::SourceIpTrust;

use crate::bearer::{Bearer, NoBearer};

/// One request to a guarded API.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it presents.
    pub credential: Result<Bearer, NoBearer>,
    /// Its address, as the gateway's `requestContext` has it and nothing else does; behind a
    /// trusted proxy as it was resolved.
    pub source_ip: Option<IpAddr>,
    /// How its address came about.
    pub source_ip_trust: SourceIpTrust,
    /// What it calls.
    pub route: Route,
    /// The path that was called, without the stage, where the event says it beside the matched
    /// route: a route such as `$default` or `/{rest+}` stands for many.
    pub path: Option<String>,
    /// When the gateway took it in, where the event tells.
    pub time: Option<Timestamp>,
    /// The gateway's id of it.
    pub id: Option<String>,
    /// Whether an authorizer of the gateway admitted it before: then that one noted a first use.
    pub is_admitted: bool,
}

/// What a request calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The method that was called and the resource that the gateway matched, whatever method the
    /// route is made for: `GET /api/banks/{guid}`, `GET $default`. Or a name, where there is no
    /// method: `$connect`.
    Matched(String),
    /// A concrete path that the gateway does not say the template of (TOKEN events).
    Concrete {
        /// The HTTP method.
        method: String,
        /// The path without the stage, as it was sent.
        path: String,
    },
}

impl Request {
    /// A request that came without an authorizer event: the value of its one `Authorization`
    /// header, the address that the gateway's request context gives, and the route as
    /// `METHOD /resource/{template}`.
    #[must_use]
    pub fn new(
        authorization: Option<&str>,
        source_ip: Option<IpAddr>,
        route: impl Into<String>,
        time: Option<Timestamp>,
    ) -> Self {
        let (credential, route) = (
            Bearer::of(authorization.into_iter()),
            Route::Matched(route.into()),
        );
        Self {
            credential,
            source_ip,
            source_ip_trust: SourceIpTrust::Direct,
            route,
            path: None,
            time,
            id: None,
            is_admitted: false,
        }
    }

    /// After an authorizer of the gateway admitted it.
    #[must_use]
    pub fn admitted(self, is_admitted: bool) -> Self {
        Self {
            is_admitted,
            ..self
        }
    }

    /// With the gateway's id, for the log.
    #[must_use]
    pub fn with_id(self, id: Option<String>) -> Self {
        Self { id, ..self }
    }

    /// With how its address came about.
    #[must_use]
    pub fn with_source_ip_trust(self, source_ip_trust: SourceIpTrust) -> Self {
        Self {
            source_ip_trust,
            ..self
        }
    }

    /// The moment at which it is evaluated.
    pub(crate) const fn moment(&self, now: Timestamp) -> Moment {
        Moment {
            now,
            request: self.time,
        }
    }
}

/// When something is evaluated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// By this instance's clock.
    pub(crate) now: Timestamp,
    /// By the gateway's, when it took the request in.
    pub(crate) request: Option<Timestamp>,
}

impl Moment {
    /// The earlier of the two.
    pub(crate) fn earliest(self) -> Timestamp {
        self.request
            .map_or(self.now, |request| request.min(self.now))
    }

    /// The later of the two: a frozen instance may wake with its clock behind the gateway's.
    pub(crate) fn latest(self) -> Timestamp {
        self.request
            .map_or(self.now, |request| request.max(self.now))
    }
}
