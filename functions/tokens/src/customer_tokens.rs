//! `POST /api/customer_tokens`: a bank's token for one that acts for a customer (CYB-8).

use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, header},
    response::IntoResponse,
};
use domain::{
    allowlist::Allowlist,
    error::{Error, FieldError, Kind},
    feed::Parent,
    ids::Guid,
    key::Key,
    operation::Operation,
    scope::{Catalogue, Holder, Scope, ScopeSet},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use web::{
    caller::Caller,
    dialect::Management,
    extract,
    openapi::{BadBody, CommonErrors, schema},
};

use crate::{Shared, Tokens, issue::Draft};

/// What a customer's token is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateCustomerToken)]
pub(crate) struct Body {
    /// The customer that it acts for.
    #[schema(value_type = schema::Guid)]
    customer_guid: Guid,
    /// Of those that the bank's key holds and customers' tokens may.
    #[schema(value_type = Vec<schema::Scope>, min_items = 1)]
    scopes: Vec<String>,
    /// From where it may be used.
    #[serde(default)]
    #[schema(value_type = Option<Vec<schema::AllowlistEntry>>, max_items = 3)]
    ip_allowlist: Option<Vec<String>>,
    /// Whether the list of the bank's key, as it stands now, admits too. Without it that list does
    /// not concern this token.
    #[serde(default)]
    inherit_ip_allowlist: Option<bool>,
    /// Ignored: the token that is sent decides (CYB-4).
    #[serde(default)]
    #[schema(value_type = Option<schema::Guid>)]
    #[expect(
        dead_code,
        reason = "taken from a bank's token with anything, and read by nobody"
    )]
    bank_guid: Option<Value>,
}

/// A customer's token.
#[derive(Serialize, ToSchema)]
#[schema(as = CustomerToken)]
pub(crate) struct Response {
    access_token: String,
}

/// A bank's token needs both; the table of operations names the first alone, since any one of its
/// scopes opens a route.
const REQUIRED_SCOPES: [&str; 2] = ["customers:read", "customers:write"];

/// Issues a customer's token.
///
/// The bank's token that is sent needs both `customers:read` and `customers:write`. The customer's
/// token lives no longer than it does, and ends when its key, its secret or it itself is revoked.
/// Nothing is kept of a token, so each call issues another one, whatever `Idempotency-Key` it has.
#[utoipa::path(
    post,
    path = "/api/customer_tokens",
    request_body = Body,
    responses((status = 201, body = Response), CommonErrors, BadBody)
)]
pub(crate) async fn create(
    State(tokens): Shared,
    request: Request,
) -> Result<impl IntoResponse, Management> {
    let (parts, body) = request.into_parts();
    let caller = tokens.bearer(&parts).await?;
    let parent = require_parent(&caller)?;
    let body: Body = extract::json(&parts.headers, body).await?;
    let (scopes, own_list) = parse(&tokens.catalogue, &body)?;
    let ParentKey {
        key,
        secret_ends,
        now,
    } = tokens.parent_key(&caller).await?;
    require_held(&scopes, &key)?;
    // The list sealed into the bank's token does not bound this one, nor does the key's unless it
    // is inherited: the product's own rule (CYB-8). That a token with a list widens none is said of
    // keys (docs/requirements.md, Roles).
    let ip_allowlist = if body.inherit_ip_allowlist == Some(true) {
        key.ip_allowlist.union(&own_list)
    } else {
        own_list
    };
    let draft = Draft {
        key: &key,
        sid: caller.sid,
        scopes,
        ip_allowlist,
        customer: Some((body.customer_guid, parent)),
        ends: [key.expires_at, secret_ends, caller.expires_at],
        now,
    };
    let issued = tokens
        .issue_token(draft)
        .await?
        .ok_or_else(Error::unauthenticated)?;
    let response = Response {
        access_token: issued.access_token,
    };
    Ok((
        StatusCode::CREATED,
        [(header::CACHE_CONTROL, "no-store")],
        Json(response),
    ))
}

/// The token that the new one is derived from: a bank's, with both scopes.
fn require_parent(caller: &Caller) -> Result<Parent, Error> {
    let holds_both = REQUIRED_SCOPES.iter().all(|scope| caller.scopes.has(scope));
    match caller.reach(Operation::CreateCustomerToken) {
        Err(refused) if refused.kind != Kind::InsufficientScope => return Err(refused),
        _ if caller.owner.bank().is_none() => {
            return Err(Error::new(
                Kind::Forbidden,
                "Only a bank's token issues customers' tokens",
            ));
        }
        Ok(_) if holds_both => {}
        _ => {
            return Err(insufficient(format!(
                "This needs the scopes {}",
                REQUIRED_SCOPES.join(" and ")
            )));
        }
    }
    let jti = caller.jti.ok_or_else(Error::unauthenticated)?;
    Ok(Parent {
        client_id: caller.client_id,
        sid: caller.sid,
        jti,
    })
}

/// Reads the members that can be wrong by themselves, and says of all of them at once what is
/// wrong.
fn parse(catalogue: &Catalogue, body: &Body) -> Result<(ScopeSet, Allowlist), Error> {
    let list = Allowlist::parse(body.ip_allowlist.as_deref().unwrap_or_default());
    match (scopes(catalogue, &body.scopes), list) {
        (Ok(scopes), Ok(list)) => Ok((scopes, list)),
        (scopes, list) => {
            let refused = [scopes.err(), list.err()];
            Err(Error::fields(
                refused.into_iter().flatten().flatten().collect(),
            ))
        }
    }
}

/// Each within the customer column of the catalogue.
fn scopes(catalogue: &Catalogue, names: &[String]) -> Result<ScopeSet, Vec<FieldError>> {
    let mut scopes: Vec<Scope> = Vec::new();
    let mut refused = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let reason = match name.parse::<Scope>() {
            Err(reason) => reason,
            Ok(scope) if catalogue.grant(Holder::Customer, &scope).is_none() => {
                "is not a scope that a customer's token may hold"
            }
            Ok(scope) if scopes.contains(&scope) => "is a duplicate",
            Ok(scope) => {
                scopes.push(scope);
                continue;
            }
        };
        refused.push(FieldError {
            field: format!("scopes[{index}]"),
            reason: reason.into(),
        });
    }
    if names.is_empty() {
        refused.push(FieldError {
            field: "scopes".into(),
            reason: "must name at least one scope".into(),
        });
    }
    if refused.is_empty() {
        Ok(scopes.into_iter().collect())
    } else {
        Err(refused)
    }
}

/// Of the key's own, not of the token's: what a bank does for its customers is bounded by its key
/// (CYB-8).
fn require_held(scopes: &ScopeSet, key: &Key) -> Result<(), Error> {
    match scopes.iter().find(|scope| !key.scopes.has(scope.as_str())) {
        None => Ok(()),
        Some(scope) => Err(insufficient(format!(
            "The bank's key does not hold the scope {scope}"
        ))),
    }
}

fn insufficient(message: String) -> Error {
    Error::new(Kind::InsufficientScope, message)
}

/// What the caller's token rests on, as it is now.
struct ParentKey {
    key: Key,
    secret_ends: Option<Timestamp>,
    now: Timestamp,
}

impl Tokens {
    /// Reads the caller's key: whatever the authorizer saw some seconds ago, a stopped key or an
    /// ended secret obtains nothing. What happens from here on reaches the new token through the
    /// feed, by the parent that it names.
    async fn parent_key(&self, caller: &Caller) -> Result<ParentKey, Error> {
        let now = (self.clock)();
        let key = self
            .store
            .key(caller.client_id)
            .await?
            .ok_or_else(Error::unauthenticated)?;
        self.store.require_a_true_clock().await?;
        if let Some(scope) = REQUIRED_SCOPES.iter().find(|scope| !key.scopes.has(scope)) {
            return Err(insufficient(format!(
                "The bank's key does not hold the scope {scope}"
            )));
        }
        let gates = self.store.gates(&key).await?;
        let term = key
            .works(caller.sid, &gates, now)
            .map_err(|_| Error::unauthenticated())?;
        Ok(ParentKey {
            key,
            secret_ends: term.ends_at,
            now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(names: &[&str]) -> Vec<(String, String)> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let refused = scopes(&Catalogue::default(), &names).unwrap_err();
        refused
            .into_iter()
            .map(|refused| (refused.field, refused.reason))
            .collect()
    }

    #[test]
    fn cyb_8_scopes_are_those_of_the_customer_column_each_once() {
        let names = ["trades:read".to_owned(), "accounts:read".to_owned()];
        assert_eq!(
            scopes(&Catalogue::default(), &names).unwrap().to_string(),
            "accounts:read trades:read"
        );
        assert_eq!(refused(&[])[0].0, "scopes");
        for (name, words) in [
            ("banks:read", "customer's token"),
            ("customers:execute", "customer's token"),
            ("no_such:read", "customer's token"),
            ("nonsense", "not a scope"),
            ("trades:read", "duplicate"),
        ] {
            let refused = refused(&["trades:read", name]);
            assert!(
                refused.len() == 1 && refused[0].0 == "scopes[1]" && refused[0].1.contains(words),
                "{name}: {refused:?}"
            );
        }
    }
}
