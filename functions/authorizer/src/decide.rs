//! The decision: one pure function over what is known. Everything it needs is an argument, so that every refusal and every
//! edge of the clock is a test.

use domain::{
    allowlist::Admission,
    feed::{Credential, Fact, Feed, Refusal, Standing},
    ids::ClientId,
    key::Owner,
    time::Timestamp,
};
use jwt::{Claims, Verified};

use crate::{bearer::NoBearer, context::Context, request::Request, settings::Settings};

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It passes, and the API learns this.
    Allow(Context),
    /// 403, with a reason that the caller may know.
    Deny(Denial),
    /// The one static 401; the reason is for the log.
    Unauthorized(Unauthorized),
    /// 503: nobody can tell right now, so nobody passes.
    Unavailable(Unavailable),
}

/// A refusal of a caller that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub cause: Cause,
    /// Whom.
    pub client_id: ClientId,
}

/// Why a known caller is refused: a closed vocabulary, since gateway responses substitute it into JSON without escaping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// CYB-7.
    IpNotAllowed,
    /// The token has an allowlist and the event no address.
    IpUnknown,
    /// The route needs a scope that the token lacks.
    InsufficientScope,
    /// The route is not listed.
    Forbidden,
}

impl Cause {
    /// Every cause, for the error reference.
    pub const ALL: [Self; 4] = [Self::IpNotAllowed, Self::IpUnknown, Self::InsufficientScope, Self::Forbidden];

    /// The `message_code`.
    #[must_use]
    pub const fn message_code(self) -> &'static str {
        match self {
            Self::IpNotAllowed => "ip_not_allowed",
            Self::IpUnknown => "ip_unknown",
            Self::InsufficientScope => "insufficient_scope",
            Self::Forbidden => "forbidden",
        }
    }

    /// The `message`.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::IpNotAllowed => "IP address not in allowlist",
            Self::IpUnknown => "The access token carries an IP allowlist and the address of this call is not known",
            Self::InsufficientScope => "The access token lacks a scope that this operation needs",
            Self::Forbidden => "This operation is not open to access tokens",
        }
    }
}

/// Why a request is 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unauthorized {
    /// It presents no bearer token.
    NoBearer(NoBearer),
    /// The token is not to be believed.
    Token(jwt::Refusal),
    /// The revocation feed has something against it.
    Withdrawn(Refusal),
}

impl Unauthorized {
    /// A word for the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoBearer(NoBearer::Absent) => "credential_absent",
            Self::NoBearer(NoBearer::Repeated) => "credential_repeated",
            Self::NoBearer(NoBearer::Malformed) => "credential_malformed",
            Self::Token(refusal) => refusal.name(),
            Self::Withdrawn(Refusal::Revoked(Fact::Key)) => "key_revoked",
            Self::Withdrawn(Refusal::Revoked(Fact::Secret)) => "secret_revoked",
            Self::Withdrawn(Refusal::Revoked(Fact::Token)) => "token_revoked",
            Self::Withdrawn(Refusal::Revoked(Fact::User)) => "user_revoked",
            Self::Withdrawn(Refusal::Revoked(Fact::Owner)) => "owner_revoked",
            Self::Withdrawn(Refusal::Revoked(Fact::Organization)) => "organization_revoked",
            Self::Withdrawn(Refusal::Suspended(Fact::Key)) => "key_suspended",
            Self::Withdrawn(Refusal::Suspended(Fact::Secret)) => "secret_suspended",
            Self::Withdrawn(Refusal::Suspended(Fact::Token)) => "token_suspended",
            Self::Withdrawn(Refusal::Suspended(Fact::User)) => "user_suspended",
            Self::Withdrawn(Refusal::Suspended(Fact::Owner)) => "owner_suspended",
            Self::Withdrawn(Refusal::Suspended(Fact::Organization)) => "organization_suspended",
        }
    }
}

/// What keeps the authorizer from deciding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unavailable {
    /// The revocation feed could not be read for too long (CBM-4).
    Feed,
    /// The trusted keys could not be read for too long.
    Keys,
}

impl Unavailable {
    /// A word for the log and for the gateway's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed_stale",
            Self::Keys => "keys_stale",
        }
    }
}

/// Decides about `request`, which presents a token whose signature holds, or does not. `now` is read right before, from
/// the clock that the feed was read by.
///
/// Only the token's own faults come before the feed, and only what a genuine caller may know comes after it: a revoked
/// key learns nothing of routes and addresses.
#[must_use]
pub fn decide(
    settings: &Settings,
    presented: Result<&Verified, Unauthorized>,
    request: &Request,
    feed: &Feed,
    now: Timestamp,
) -> Decision {
    let verified = match presented {
        Ok(verified) => verified,
        Err(reason) => return Decision::Unauthorized(reason),
    };
    let claims = verified.claims();
    if let Err(refusal) = verified.check(&settings.expected, request.moment(now)) {
        return Decision::Unauthorized(Unauthorized::Token(refusal));
    }
    if feed.standing(now, request.time) == Standing::Stale {
        return Decision::Unavailable(Unavailable::Feed);
    }
    if let Some(refusal) = verdict(feed, claims) {
        return Decision::Unauthorized(Unauthorized::Withdrawn(refusal));
    }
    match denial(settings, claims, request) {
        Some(cause) => Decision::Deny(Denial { cause, client_id: claims.client_id }),
        None => Decision::Allow(Context::from(claims)),
    }
}

fn verdict(feed: &Feed, claims: &Claims) -> Option<Refusal> {
    let owner = match claims.owner {
        Owner::Organization(_) => None,
        Owner::Bank(bank) => Some(bank.to_string()),
    };
    feed.verdict(&Credential {
        client_id: &claims.client_id.to_string(),
        secret: &claims.sid.to_string(),
        token: Some(&claims.jti.to_string()),
        user: None,
        owner: owner.as_deref(),
        organization: &claims.org.to_string(),
        kind: claims.env,
        key_created: claims.key_created,
        parents: &[],
    })
}

fn denial(settings: &Settings, claims: &Claims, request: &Request) -> Option<Cause> {
    match claims.ip_allowlist.admission(request.source_ip) {
        Admission::Admitted => {}
        Admission::NotListed => return Some(Cause::IpNotAllowed),
        Admission::AddressUnknown => return Some(Cause::IpUnknown),
    }
    match settings.routes.rule(&request.route) {
        None => Some(Cause::Forbidden),
        Some((_, rule)) if rule.admits(|scope| claims.scope.has(scope)) => None,
        Some(_) => Some(Cause::InsufficientScope),
    }
}
