//! The caller of a function: it decides by a guard of its own, whatever the gateway's authorizer
//! found, so that nobody is anybody by being able to invoke it (LEAK-12).

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
    /// credential that it has. Where a gateway's authorizer was asked before, it must have found
    /// the same caller; what that one holds by now this guard says.
    ///
    /// # Errors
    /// What the gateway would answer in this guard's place; the 401 where its authorizer found
    /// somebody else, or wrote a context that is none of ours.
    pub async fn caller(&self, parts: &Parts, route: &str) -> Result<Caller, Error> {
        let facts = Facts::of(&parts.extensions);
        let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
        let authorization = headers
            .next()
            .filter(|_| headers.next().is_none())
            .and_then(|value| value.to_str().ok());
        let request = Request::new(authorization, facts.source_ip, route, facts.request_time)
            .with_id(facts.request_id.clone());
        let passed = Caller::of(&parts.extensions);
        let request = request
            .with_source_ip_trust(facts.source_ip_trust)
            .admitted(!matches!(passed, Ok(None)));
        match self.authorize(request).await {
            Decision::Allow(context) => {
                let found = Caller::read(&context.fields(), facts)?;
                let request_id = found.request_id.as_deref();
                match passed {
                    Ok(None) => Ok(found),
                    Ok(Some(passed)) if passed.is_same(&found) => Ok(found),
                    Ok(Some(_)) | Err(_) => {
                        tracing::error!(
                            request_id,
                            client_id = %found.client_id,
                            "the authorizer's context is not that of the bearer's caller"
                        );
                        Err(Error::unauthenticated())
                    }
                }
            }
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
