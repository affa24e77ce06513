//! Who asks about a token: a client by its secret, or whoever holds a credential of the platform (RFC 7662 §2.1).

use axum::http::{HeaderMap, header::AUTHORIZATION, request::Parts};
use domain::{
    error::{Error, Kind as ErrorKind},
    ids::Guid,
    key::{Key, Owner},
    kind::Kind,
};
use guard::Context;
use web::{caller::Caller, request::Facts};

use crate::{
    Tokens,
    parameters::{Parameters, malformed},
};

/// Whose question it is.
#[derive(Clone, Copy)]
pub(crate) struct Asker {
    organization: Guid,
    owner: Owner,
    kind: Kind,
}

impl Asker {
    /// Whether it may know of a credential: of its own organization and kind, and as a bank of that bank's alone. Staff ask nothing:
    /// the guard lets them to no route but those of the table of operations.
    pub(crate) fn may_know(self, credential: &Context) -> bool {
        self.reaches(credential.organization, credential.owner, credential.environment)
    }

    fn reaches(self, organization: Guid, owner: Owner, kind: Kind) -> bool {
        let of_its_bank = self.owner.bank().is_none() || self.owner == owner;
        self.organization == organization && self.kind == kind && of_its_bank
    }
}

impl From<&Key> for Asker {
    fn from(key: &Key) -> Self {
        Self { organization: key.organization, owner: key.owner, kind: key.kind }
    }
}

impl From<&Caller> for Asker {
    fn from(caller: &Caller) -> Self {
        Self { organization: caller.organization, owner: caller.owner, kind: caller.kind }
    }
}

impl Tokens {
    /// Who asks: by a bearer credential, or else as a client does at `/oauth/token`.
    pub(crate) async fn asker(&self, parts: &Parts, parameters: &Parameters) -> Result<Asker, Error> {
        if !has_bearer(&parts.headers) {
            let facts = Facts::of(&parts.extensions);
            return Ok(Asker::from(&self.client(parameters, &facts).await?.key));
        }
        if parameters.client_secret.is_some() {
            return Err(malformed("Authenticate by a bearer credential or by client_secret, not by both (RFC 6749 §2.3)"));
        }
        let caller = self.bearer(parts).await?;
        // It is in a customer's hands, and would tell them of the bank's own tokens.
        if caller.customer.is_some() {
            return Err(Error::new(ErrorKind::Forbidden, "A customer's token is for the APIs that the platform guards"));
        }
        Ok(Asker::from(&caller))
    }
}

/// Whether the request has the one `Authorization` header, and it names the scheme `Bearer` (RFC 6750 §2.1).
fn has_bearer(headers: &HeaderMap) -> bool {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(' ').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_knows_its_own_keys_an_organization_all_of_its_kind_and_nobody_a_strangers() {
        let guid = |byte| Guid::from_bytes([byte; 16]);
        let (home, abroad) = (guid(1), guid(2));
        let (bank, other_bank, user) = (Owner::Bank(guid(3)), Owner::Bank(guid(4)), Owner::User(guid(5)));
        let organization = Owner::Organization(home);
        let asker = |owner| Asker { organization: home, owner, kind: Kind::Sandbox };
        for owner in [organization, bank, other_bank, user] {
            for asking in [organization, user] {
                assert!(asker(asking).reaches(home, owner, Kind::Sandbox));
                assert!(!asker(asking).reaches(home, owner, Kind::Live));
                assert!(!asker(asking).reaches(abroad, owner, Kind::Sandbox));
            }
            assert_eq!(asker(bank).reaches(home, owner, Kind::Sandbox), owner == bank);
        }
        assert!(!asker(bank).reaches(home, bank, Kind::Live) && !asker(bank).reaches(abroad, bank, Kind::Sandbox));
    }
}
