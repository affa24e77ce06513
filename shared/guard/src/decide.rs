//! The decision: one pure function over what is known. Everything it needs is an argument, so that
//! every refusal and every edge of the clock is a test.

use domain::{
    allowlist::{Admission, Allowlist},
    feed::{Credential, Feed, Freshness, Validity},
    ids::ClientId,
    time::Timestamp,
};
use jwt::{Claims, Verified};
use web::proxy::SourceIpTrust;

use crate::{
    context::Context,
    decision::{
        CredentialError, Decision, DenyReason, KeyError, LookUpResult, Unauthorized, Unavailable,
    },
    personal_key::PersonalKey,
    request::{Moment, Request},
    routes::Who,
    settings::Settings,
};

/// What a request presents, as far as it is beyond doubt.
#[derive(Clone, Copy, Debug)]
pub enum Presented<'a> {
    /// A token whose signature holds.
    Token(&'a Verified),
    /// A personal key whose secret it is.
    Key(&'a PersonalKey),
}

/// Decides about `request`, which presents a credential that is beyond doubt, or does not. `now` is
/// read right before, from the clock that the feed was read by. `looked_up` is what the tables say
/// of the credential, where they were asked.
///
/// Only a token's own faults come before the feed, and only what a genuine caller may know comes
/// after it: a revoked key learns nothing of routes and addresses.
#[must_use]
pub fn decide(
    settings: &Settings,
    presented: Result<Presented<'_>, Unauthorized>,
    request: &Request,
    feed: &Feed,
    looked_up: LookUpResult,
    now: Timestamp,
) -> Decision {
    let presented = match presented {
        Ok(presented) => presented,
        Err(reason) => return Decision::Unauthorized(reason),
    };
    let moment = request.moment(now);
    let reason = match credential_error(settings, presented, feed, looked_up, moment) {
        None => deny_reason(settings, presented, request),
        Some(CredentialError::Denied(reason)) => Some(reason),
        Some(CredentialError::Unauthorized(reason)) => return Decision::Unauthorized(reason),
        Some(CredentialError::Unavailable(unavailable)) => {
            return Decision::Unavailable(unavailable);
        }
    };
    match reason {
        // The next moment may know it.
        Some(DenyReason::IpUnknown) if request.source_ip_trust == SourceIpTrust::Undetermined => {
            Decision::Unavailable(Unavailable::Address)
        }
        Some(reason) => Decision::Deny {
            reason,
            client_id: presented.client_id(),
        },
        None => Decision::Allow(presented.context(moment)),
    }
}

/// What keeps the credential from working at this moment; the address and the route are not asked.
pub(crate) fn credential_error(
    settings: &Settings,
    presented: Presented<'_>,
    feed: &Feed,
    looked_up: LookUpResult,
    moment: Moment,
) -> Option<CredentialError> {
    if let Some(reason) = presented.fault(settings, moment.latest()) {
        return Some(CredentialError::Unauthorized(reason));
    }
    if feed.freshness(moment.now, moment.request) == Freshness::Stale {
        return Some(CredentialError::Unavailable(Unavailable::Feed));
    }
    match (presented.validity(feed, moment), looked_up) {
        (Validity::Invalid(invalidation), _) => {
            let reason = Unauthorized::Invalidated(invalidation);
            return Some(CredentialError::Unauthorized(reason));
        }
        (Validity::LookUp, LookUpResult::NotRead) => {
            return Some(CredentialError::Unavailable(Unavailable::LookUp));
        }
        (Validity::LookUp, LookUpResult::Invalid(reason)) => {
            return Some(CredentialError::Unauthorized(reason));
        }
        (Validity::LookUp, LookUpResult::Valid) | (Validity::Valid, _) => {}
    }
    match presented {
        Presented::Token(_) => None,
        Presented::Key(key) => key.credential_error(moment.latest()),
    }
}

fn deny_reason(
    settings: &Settings,
    presented: Presented<'_>,
    request: &Request,
) -> Option<DenyReason> {
    match presented.ip_allowlist().admission(request.source_ip) {
        Admission::Admitted => {}
        Admission::NotListed => return Some(DenyReason::IpNotAllowed),
        Admission::AddressUnknown => return Some(DenyReason::IpUnknown),
    }
    let Some((_, rule)) = settings.routes.rule(&request.route) else {
        return Some(DenyReason::Forbidden);
    };
    settings
        .routes
        .narrower_rules(request)
        .into_iter()
        .chain([rule])
        .find_map(|rule| rule.deny_reason(presented.who()))
}

impl<'a> Presented<'a> {
    /// What is wrong with it in itself, whatever became of it since.
    fn fault(self, settings: &Settings, now: Timestamp) -> Option<Unauthorized> {
        match self {
            Self::Token(verified) => match verified.check(&settings.expected, now) {
                Err(error) => Some(Unauthorized::Token(error)),
                Ok(()) => verified
                    .claims()
                    .owner
                    .user()
                    .map(|_| Unauthorized::PersonalToken),
            },
            Self::Key(key) => {
                let accepted = settings.expected.audience(key.key().kind).is_some();
                (!accepted).then_some(Unauthorized::Key(KeyError::KindNotAccepted))
            }
        }
    }

    /// Whether it works, by a feed that is not stale.
    pub(crate) fn validity(self, feed: &Feed, moment: Moment) -> Validity {
        let (earliest, latest) = (moment.earliest(), moment.latest());
        match self {
            Self::Token(verified) => {
                feed.validity(&credential(verified.claims()), earliest, latest)
            }
            Self::Key(key) => key.validity(feed, earliest, latest),
        }
    }

    pub(crate) const fn client_id(self) -> ClientId {
        match self {
            Self::Token(verified) => verified.claims().client_id,
            Self::Key(key) => key.key().client_id,
        }
    }

    /// The list that is enforced: a token's is sealed into it, a personal key's is what it is now
    /// (CYB-6).
    const fn ip_allowlist(self) -> &'a Allowlist {
        match self {
            Self::Token(verified) => &verified.claims().ip_allowlist,
            Self::Key(key) => &key.key().ip_allowlist,
        }
    }

    fn who(self) -> Who<'a> {
        match self {
            Self::Token(verified) => {
                let claims = verified.claims();
                Who {
                    role: None,
                    is_customer: claims.customer.is_some(),
                    scopes: &claims.scope,
                }
            }
            Self::Key(key) => Who {
                role: key.role(),
                is_customer: false,
                scopes: key.scopes(),
            },
        }
    }

    pub(crate) fn context(self, moment: Moment) -> Context {
        match self {
            Self::Token(verified) => Context::from(verified.claims()),
            Self::Key(key) => key.context(moment.latest()),
        }
    }
}

fn credential(claims: &Claims) -> Credential<'_> {
    Credential {
        client_id: claims.client_id,
        secret: claims.sid,
        token: Some(claims.jti),
        user: claims.owner.user(),
        minters: &[],
        owner: claims.owner.bank(),
        organization: claims.org,
        kind: claims.env,
        key_created: claims.key_created,
        parents: claims.parent.as_slice(),
    }
}
