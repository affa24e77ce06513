//! `POST /oauth/introspect`: what a token is, for those who may know (RFC 7662).

use axum::{
    Json,
    extract::{Request, State},
    http::header,
    response::IntoResponse,
};
use domain::{
    error::Error,
    ids::{ClientId, Guid, SecretId},
    key_mode::KeyMode,
    role::Role,
    time::Timestamp,
};
use guard::{Context, Inspection};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        ObjectBuilder,
        schema::{SchemaType, Type},
    },
};
use web::{
    dialect::OAuth,
    openapi::{OAuthErrors, schema},
    refusal::{self, Outcome},
    request::Facts,
};

use crate::{Shared, Tokens, introspection_client::IntrospectionClient, parameters::Parameters};

/// RFC 7662 §2.1; other parameters are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Parameters` reads")]
pub(crate) struct IntrospectionRequest {
    /// An access token, or the secret of a personal key.
    token: String,
    /// Ignored.
    token_type_hint: Option<String>,
    /// Unless the client authenticates in the header.
    #[schema(nullable = false, value_type = Option<schema::ClientId>)]
    client_id: Option<String>,
    /// Unless the client authenticates in the header.
    #[schema(nullable = false, format = Password)]
    client_secret: Option<String>,
}

/// RFC 7662 §2.2.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Introspection)]
pub(crate) enum Response {
    /// It works.
    Active(Box<Working>),
    /// It does not, or is none of the caller's.
    Inactive(NotWorking),
}

/// A credential that works.
#[derive(Serialize, ToSchema)]
#[schema(as = ActiveToken)]
pub(crate) struct Working {
    #[schema(schema_with = always)]
    active: bool,
    /// Separated by spaces.
    scope: String,
    #[schema(value_type = schema::ClientId)]
    client_id: ClientId,
    /// The address of the person whose personal key it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    username: Option<String>,
    #[schema(value_type = String, pattern = "^Bearer$")]
    token_type: &'static str,
    /// When it ends, in seconds since 1970; absent where no end is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exp: Option<i64>,
    /// When it was issued.
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    nbf: Option<i64>,
    /// The customer or user that it acts for, or the client.
    sub: String,
    aud: String,
    iss: String,
    /// The token; a personal key has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Guid>, nullable = false)]
    jti: Option<Guid>,
    /// The secret that obtained it, or that it is.
    #[schema(value_type = schema::Guid)]
    sid: SecretId,
    #[schema(value_type = schema::Guid)]
    organization: Guid,
    /// Whose the key is, such as bank:<guid>.
    owner: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Guid>, nullable = false)]
    bank: Option<Guid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Guid>, nullable = false)]
    customer: Option<Guid>,
    #[schema(value_type = schema::Kind)]
    environment: KeyMode,
    /// From where it may be used; from anywhere when empty. Whoever asks enforces it.
    #[schema(value_type = Vec<schema::AllowlistEntry>)]
    ip_allowlist: Vec<String>,
    /// Of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Role>, nullable = false)]
    role: Option<Role>,
}

/// A credential that does not work, or is none of the caller's. Why is told to nobody.
#[derive(Serialize, ToSchema)]
#[schema(as = InactiveToken)]
pub(crate) struct NotWorking {
    #[schema(schema_with = never)]
    active: bool,
}

fn always() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Boolean))
        .enum_values(Some([true]))
}

fn never() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Boolean))
        .enum_values(Some([false]))
}

/// Tells what a token is.
///
/// To clients, who authenticate as at `/oauth/token`, and to holders of an access token or personal
/// key. They are told of credentials of their own organization and environment, a bank of its own;
/// of all others that they are not active, whatever they are. Why one is not active is told to
/// nobody.
#[utoipa::path(
    post,
    path = "/oauth/introspect",
    operation_id = "introspect",
    tag = "tokens",
    security(("client" = []), ("token" = []), ("personal_key" = []), ()),
    request_body(content(
        (IntrospectionRequest = "application/x-www-form-urlencoded"),
        (IntrospectionRequest = "application/json")
    )),
    responses((status = 200, body = Response), OAuthErrors)
)]
pub(crate) async fn introspect(
    State(tokens): Shared,
    request: Request,
) -> Result<impl IntoResponse, OAuth> {
    let facts = Facts::of(request.extensions());
    let (parts, body) = request.into_parts();
    let parameters = Parameters::read(&parts.headers, body).await?;
    let client = tokens.introspection_client(&parts, &parameters).await?;
    let inspected = tokens.inspect(parameters.require_token()?, &facts).await?;
    let response = match active(client, inspected) {
        Some(found) => Response::Active(Box::new(tokens.describe(found).await?)),
        None => Response::Inactive(NotWorking { active: false }),
    };
    Ok((
        [
            (header::CACHE_CONTROL, "no-store"),
            (header::PRAGMA, "no-cache"),
        ],
        Json(response),
    ))
}

/// What works and is for the client to know of. Why something does not work the guard has logged.
fn active(client: IntrospectionClient, inspected: Option<Inspection>) -> Option<Inspection> {
    let found = inspected.filter(|found| found.inactive.is_none())?;
    if client.may_know(&found.context) {
        return Some(found);
    }
    let whose = found.context.client_id;
    refusal::log_here(Outcome::Inactive, "not_the_clients", Some(whose));
    None
}

impl Tokens {
    /// What a text is as a credential; nothing when it is none of ours.
    pub(crate) async fn inspect(
        &self,
        credential: &str,
        facts: &Facts,
    ) -> Result<Option<Inspection>, Error> {
        self.guard
            .inspect(credential, facts.request_time)
            .await
            .map_err(|_| Error::temporarily_unavailable())
    }

    async fn describe(&self, found: Inspection) -> Result<Working, Error> {
        let Inspection {
            context,
            claims,
            issued_at,
            ..
        } = found;
        let user = match context.owner.user() {
            None => None,
            Some(guid) => self.store.user(guid).await?,
        };
        let subject = [context.customer, context.owner.user()]
            .into_iter()
            .flatten()
            .next();
        let Context {
            organization,
            client_id,
            owner,
            customer,
            scopes,
            role,
            environment,
            jti,
            sid,
            ip_allowlist,
            expires_at,
        } = context;
        Ok(Working {
            active: true,
            scope: scopes.to_string(),
            client_id,
            username: user.map(|user| user.email.to_string()),
            token_type: "Bearer",
            exp: expires_at.map(Timestamp::seconds),
            iat: issued_at.seconds(),
            nbf: claims.map(|claims| claims.nbf.seconds()),
            sub: subject.map_or_else(|| client_id.to_string(), |subject| subject.to_string()),
            aud: self.settings.audience(environment).to_owned(),
            iss: self.settings.issuer.clone(),
            jti,
            sid,
            organization,
            owner: owner.to_string(),
            bank: owner.bank(),
            customer,
            environment,
            ip_allowlist: ip_allowlist.entries().collect(),
            role,
        })
    }
}
