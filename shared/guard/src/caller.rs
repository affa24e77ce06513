//! The caller of a function that no gateway authorizer vouches for: the function decides by a guard
//! of its own, alike.

use domain::error::{Error, Kind};
use http::{header::AUTHORIZATION, request::Parts};
use web::{caller::Caller, request::Facts};

use crate::{
    decision::{Decision, DenyReason},
    guard::Guard,
    request::Request,
};

impl Guard {
    /// Decides about a request to `route`, as the table of routes names it, by the bearer
    /// credential that it has.
    ///
    /// # Errors
    /// What the gateway would answer in this guard's place.
    pub async fn caller(&self, parts: &Parts, route: &str) -> Result<Caller, Error> {
        let facts = Facts::of(&parts.extensions);
        let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
        let authorization = headers
            .next()
            .filter(|_| headers.next().is_none())
            .and_then(|value| value.to_str().ok());
        let request = Request::new(authorization, facts.source_ip, route, facts.request_time)
            .with_id(facts.request_id.clone());
        let request = request.with_source_ip_trust(facts.source_ip_trust);
        match self.authorize(request).await {
            Decision::Allow(context) => Caller::read(&context.fields(), facts),
            Decision::Deny { reason, .. } => Err(Error::new(reason.into(), reason.message())),
            Decision::Unauthorized(_) => Err(Error::unauthenticated()),
            Decision::Unavailable(_) => Err(Error::temporarily_unavailable()),
        }
    }
}

impl From<DenyReason> for Kind {
    fn from(reason: DenyReason) -> Self {
        match reason {
            DenyReason::IpNotAllowed => Self::IpNotAllowed,
            DenyReason::IpUnknown => Self::IpUnknown,
            DenyReason::InsufficientScope => Self::InsufficientScope,
            DenyReason::Forbidden => Self::Forbidden,
            DenyReason::PlanUpgradeRequired => Self::PlanUpgradeRequired,
        }
    }
}
