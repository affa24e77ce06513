//! The client of an introspection: a client by its secret, or whoever holds a credential of the
//! platform (RFC 7662 §2.1).

use axum::http::{HeaderMap, header::AUTHORIZATION, request::Parts};
use domain::{
    error::{Error, Kind},
    ids::Guid,
    key::{Key, Owner},
    key_mode::KeyMode,
};
use guard::Context;
use web::{caller::Caller, request::Facts};

use crate::{
    Tokens,
    parameters::{Parameters, malformed},
};

/// The client that introspects.
#[derive(Clone, Copy)]
pub(crate) struct IntrospectionClient {
    organization: Guid,
    owner: Owner,
    kind: KeyMode,
}

impl IntrospectionClient {
    /// Whether it may know of a credential: of its own organization and kind, and as a bank of that
    /// bank's alone. Staff ask nothing: the guard lets them to no route but those of the table of
    /// operations.
    pub(crate) fn may_know(self, credential: &Context) -> bool {
        self.reaches(
            credential.organization,
            credential.owner,
            credential.environment,
        )
    }

    fn reaches(self, organization: Guid, owner: Owner, kind: KeyMode) -> bool {
        let of_its_bank = self.owner.bank().is_none() || self.owner == owner;
        self.organization == organization && self.kind == kind && of_its_bank
    }
}

impl From<&Key> for IntrospectionClient {
    fn from(key: &Key) -> Self {
        Self {
            organization: key.organization,
            owner: key.owner,
            kind: key.kind,
        }
    }
}

impl From<&Caller> for IntrospectionClient {
    fn from(caller: &Caller) -> Self {
        Self {
            organization: caller.organization,
            owner: caller.owner,
            kind: caller.kind,
        }
    }
}

impl Tokens {
    /// Who asks: by a bearer credential, or else as a client does at `/oauth/token`.
    pub(crate) async fn introspection_client(
        &self,
        parts: &Parts,
        parameters: &Parameters,
    ) -> Result<IntrospectionClient, Error> {
        if !has_bearer(&parts.headers) {
            let facts = Facts::of(&parts.extensions);
            return Ok(IntrospectionClient::from(
                &self.client(parameters, &facts).await?.key,
            ));
        }
        if parameters.client_secret.is_some() {
            return Err(malformed(
                "Authenticate by a bearer credential or by client_secret, not by both (RFC 6749 \
                 §2.3)",
            ));
        }
        let caller = self.bearer(parts).await?;
        // It is in a customer's hands, and would tell them of the bank's own tokens.
        if caller.customer.is_some() {
            return Err(Error::new(
                Kind::Forbidden,
                "A customer's token is for the APIs that the platform guards",
            ));
        }
        Ok(IntrospectionClient::from(&caller))
    }
}

/// Whether the request has the one `Authorization` header, and it names the scheme `Bearer` (RFC
/// 6750 §2.1).
fn has_bearer(headers: &HeaderMap) -> bool {
    let value = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value
        .split(' ')
        .next()
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_knows_its_own_keys_an_organization_all_of_its_kind_and_nobody_a_strangers() {
        let guid = |byte| Guid::from_bytes([byte; 16]);
        let (home, abroad) = (guid(1), guid(2));
        let (bank, other_bank, user) = (
            Owner::Bank(guid(3)),
            Owner::Bank(guid(4)),
            Owner::User(guid(5)),
        );
        let organization = Owner::Organization(home);
        let client = |owner| IntrospectionClient {
            organization: home,
            owner,
            kind: KeyMode::Sandbox,
        };
        for owner in [organization, bank, other_bank, user] {
            for asking in [organization, user] {
                assert!(client(asking).reaches(home, owner, KeyMode::Sandbox));
                assert!(!client(asking).reaches(home, owner, KeyMode::Live));
                assert!(!client(asking).reaches(abroad, owner, KeyMode::Sandbox));
            }
            assert_eq!(
                client(bank).reaches(home, owner, KeyMode::Sandbox),
                owner == bank
            );
        }
        assert!(
            !client(bank).reaches(home, bank, KeyMode::Live)
                && !client(bank).reaches(abroad, bank, KeyMode::Sandbox)
        );
    }
}
