//! The caller of a function that no gateway authorizer vouches for: the function decides by a guard of its own, alike.

use domain::error::{Error, Kind};
use http::{header::AUTHORIZATION, request::Parts};
use web::{caller::Caller, request::Facts};

use crate::{
    decision::{Cause, Decision},
    guard::Guard,
    request::Request,
};

impl Guard {
    /// Decides about a request to `route`, as the table of routes names it, by the bearer credential that it has.
    ///
    /// # Errors
    /// What the gateway would answer in this guard's place.
    pub async fn caller(&self, parts: &Parts, route: &str) -> Result<Caller, Error> {
        let facts = Facts::of(&parts.extensions);
        let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
        let authorization = headers.next().filter(|_| headers.next().is_none()).and_then(|value| value.to_str().ok());
        let request = Request::new(authorization, facts.source_ip, route, facts.request_time).with_id(facts.request_id.clone());
        let request = request.judged(facts.judged);
        match self.authorize(request).await {
            Decision::Allow(context) => Caller::read(&context.fields(), facts),
            Decision::Deny(denial) => Err(Error::new(denial.cause.into(), denial.cause.message())),
            Decision::Unauthorized(_) => Err(Error::unauthenticated()),
            Decision::Unavailable(_) => Err(Error::temporarily_unavailable()),
        }
    }
}

impl From<Cause> for Kind {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::IpNotAllowed => Self::IpNotAllowed,
            Cause::IpUnknown => Self::IpUnknown,
            Cause::InsufficientScope => Self::InsufficientScope,
            Cause::Forbidden => Self::Forbidden,
            Cause::PlanUpgradeRequired => Self::PlanUpgradeRequired,
        }
    }
}
