//! `POST /oauth/revoke`: ends one token, and those derived from it (RFC 7009).

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::header,
    response::IntoResponse,
};
use domain::{
    audit::{Actor, Origin},
    error::{Error, Kind},
    feed::Rules,
    key::{Key, Owner},
    secret::PlainSecret,
};
use jwt::Claims;
use store::TokenToRevoke;
use utoipa::ToSchema;
use web::{
    dialect::OAuth,
    openapi::{OAuthErrors, schema},
    request::Facts,
};

use crate::{Shared, parameters::Parameters};

/// How far two clocks may differ that are each within the bound of the table's.
const MAX_CLOCK_DIFFERENCE: Duration = Rules::STANDARD.clock_bound.saturating_mul(2);

/// RFC 7009 §2.1; other parameters are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Parameters` reads")]
pub(crate) struct RevocationRequest {
    /// An access token.
    token: String,
    /// Ignored.
    token_type_hint: Option<String>,
    /// Unless it stands in HTTP Basic.
    #[schema(nullable = false, value_type = Option<schema::ClientId>)]
    client_id: Option<String>,
    /// Unless it stands in HTTP Basic.
    #[schema(nullable = false, format = Password)]
    client_secret: Option<String>,
}

/// Revokes a token.
///
/// A key revokes its own tokens, and an organization's key those of every key of the organization
/// and its environment. Customers' tokens that were derived from it end with it. Revoking a token
/// that is already revoked or has expired, or a string that is not a token, has no effect.
#[utoipa::path(
    post,
    path = "/oauth/revoke",
    operation_id = "revoke_token",
    tag = "tokens",
    security(("client" = []), ()),
    request_body(content(
        (RevocationRequest = "application/x-www-form-urlencoded"),
        (RevocationRequest = "application/json")
    )),
    responses((status = 200), OAuthErrors)
)]
pub(crate) async fn revoke(
    State(tokens): Shared,
    request: Request,
) -> Result<impl IntoResponse, OAuth> {
    let facts = Facts::of(request.extensions());
    let (parts, body) = request.into_parts();
    let parameters = Parameters::read(&parts.headers, body).await?;
    let client = tokens.client(&parameters, &facts).await?.key;
    let token = parameters.require_token()?;
    if PlainSecret::parse(&tokens.settings.brand, token).is_ok() {
        let message = "This is a key's secret: it ends by rotating or revoking the key, not here";
        return Err(Error::new(Kind::UnsupportedTokenType, message).into());
    }
    // Whether it works is not asked: a token can be revoked while the feed cannot be read.
    let claims = tokens.guard.read_token(token, facts.request_time).await;
    let claims = claims.map_err(|_| Error::temporarily_unavailable())?;
    // Expired by every clock within the bound, so no authorizer accepts it.
    let has_expired = |claims: &Claims| claims.exp + MAX_CLOCK_DIFFERENCE <= (tokens.clock)();
    if let Some(claims) = claims.filter(|claims| !has_expired(claims)) {
        require_revocable(&client, &claims)?;
        let token = TokenToRevoke {
            jti: claims.jti,
            client_id: claims.client_id,
            organization: claims.org,
            expires_at: claims.exp,
        };
        let origin = origin(&client, facts);
        tokens.store.revoke_token(&token, &origin).await?;
    }
    Ok([
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
    ])
}

/// RFC 7009 §2.1: the client is told that the token is not its own. That tells it no more than it
/// could read in the token, which it has, and before anything is said of whether the token still
/// works.
fn require_revocable(client: &Key, claims: &Claims) -> Result<(), Error> {
    let of_its_organization = matches!(
        client.owner,
        Owner::Organization(guid) if guid == claims.org
    ) && client.kind == claims.env;
    if claims.client_id == client.client_id || of_its_organization {
        Ok(())
    } else {
        Err(Error::new(
            Kind::UnauthorizedClient,
            "This token was issued to another client",
        ))
    }
}

/// By its secret, not by a token.
fn origin(client: &Key, facts: Facts) -> Origin {
    let actor = Actor::Key {
        client_id: client.client_id.to_string(),
        jti: String::new(),
    };
    Origin {
        source_ip: facts.source_ip,
        request_id: facts.request_id,
        ..Origin::of(actor)
    }
}
