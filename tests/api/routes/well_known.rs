//! `GET /.well-known/jwks.json` and `/.well-known/oauth-authorization-server`: what the world needs
//! to verify tokens (RFC 7517, RFC 9068, RFC 8414). Tokens are verified here by `jsonwebtoken`
//! alone, as a customer's API would.

use std::collections::BTreeSet;

use domain::{gate::Kyb, scope::Catalogue, time::Timestamp};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{JwkSet, ThumbprintHash},
};
use local::services::Options;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Platform, platform::ALLOWED};

use crate::credentials::{self, part};

const JWKS: &str = "/.well-known/jwks.json";
const METADATA: &str = "/.well-known/oauth-authorization-server";

async fn keys(platform: &Platform) -> JwkSet {
    let answer = platform.anonymous().get(JWKS).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_value(answer.body).unwrap()
}

/// The claims of a token, by a library that knows nothing of ours.
fn verified(token: &str, keys: &JwkSet, issuer: &str, audience: &str) -> Value {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let jwk = keys
        .find(&header.kid.unwrap())
        .expect("the key is published");
    decode(
        token,
        &DecodingKey::from_jwk(jwk).unwrap(),
        issuer,
        audience,
    )
    .unwrap()
}

fn decode(
    token: &str,
    key: &DecodingKey,
    issuer: &str,
    audience: &str,
) -> jsonwebtoken::errors::Result<Value> {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    jsonwebtoken::decode::<Value>(token, key, &validation).map(|decoded| decoded.claims)
}

/// RFC 7517, RFC 7638: one public key for each kind, named by its thumbprint, without anything
/// private.
#[tokio::test]
async fn jwks_has_one_public_key_of_each_kind() {
    let platform = Platform::start().await;
    let answer = platform.anonymous().get(JWKS).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json"),
        "{answer:?}"
    );
    assert!(
        answer.header("cache-control").contains("max-age="),
        "{answer:?}"
    );
    let published = answer.body["keys"].as_array().unwrap();
    assert_eq!(
        (published.len(), answer.body.as_object().unwrap().len()),
        (2, 1),
        "{answer:?}"
    );
    for key in published {
        let members: Vec<&String> = key.as_object().unwrap().keys().collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!((&key["alg"], &key["use"]), (&json!("ES256"), &json!("sig")));
        assert_eq!((&key["kty"], &key["crv"]), (&json!("EC"), &json!("P-256")));
    }
    let set = keys(&platform).await;
    let names: BTreeSet<_> = set
        .keys
        .iter()
        .map(|key| key.common.key_id.clone().unwrap())
        .collect();
    let thumbprints = set
        .keys
        .iter()
        .map(|key| key.thumbprint(ThumbprintHash::SHA256).unwrap())
        .collect();
    assert_eq!(names, thumbprints);
    assert_eq!(names.len(), 2);
    assert_eq!(
        platform.anonymous().get(JWKS).await.text,
        answer.text,
        "the document is stable"
    );
}

/// docs/requirements.md, Tokens; CYB-4: every claim of a bank key's token.
#[tokio::test]
async fn a_bank_keys_token_has_every_claim() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let issuer = platform.stack.base_url();
    let body = json!({
        "name": "claims",
        "bank_guid": platform.seed.bank.guid,
        "ip_allowlist": [ALLOWED, "1.1.1.0/24"],
        "scopes": ["accounts:read"],
    });
    let created = platform
        .organization()
        .await
        .post("/api/bank_applications", &body)
        .await;
    let key = tests::platform::credentials(&created.body);
    let mut pair = Vec::new();
    for _ in 0..2 {
        let answer = platform
            .request_token(&key, platform.anonymous().from(ALLOWED))
            .await;
        let token = answer.body["access_token"].as_str().unwrap();
        let header = part(token, 0);
        assert_eq!(
            (&header["typ"], &header["alg"]),
            (&json!("at+jwt"), &json!("ES256"))
        );
        assert_eq!(
            header.as_object().unwrap().len(),
            3,
            "typ, alg and kid alone: {header}"
        );
        pair.push(verified(
            token,
            &keys(&platform).await,
            issuer,
            "urn:latchkey:sandbox",
        ));
    }
    let mut claims = pair[0].clone();
    let mut take = |name: &str| {
        claims
            .as_object_mut()
            .unwrap()
            .remove(name)
            .unwrap_or_else(|| panic!("no {name}"))
    };
    let (iat, nbf, exp) = (
        take("iat").as_i64().unwrap(),
        take("nbf").as_i64().unwrap(),
        take("exp").as_i64().unwrap(),
    );
    assert_eq!((nbf, exp), (iat, iat + 1800));
    assert_eq!((platform.stack.services().ambient().clock)().seconds(), iat);
    let (jti, sid) = (take("jti"), take("sid"));
    for id in [&jti, &sid] {
        let id = id.as_str().unwrap();
        assert!(
            id.len() == 32
                && id
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
            "{id}"
        );
    }
    assert_ne!(jti, pair[1]["jti"], "every token has its own");
    assert_eq!(sid, pair[1]["sid"], "the secret is the same");
    let created_at = Timestamp::parse(created.body["created_at"].as_str().unwrap()).unwrap();
    assert_eq!(
        take("key_created").as_i64().unwrap() / 1000,
        created_at.seconds()
    );
    let expected = json!({
        "iss": issuer,
        "aud": "urn:latchkey:sandbox",
        "sub": key.client_id,
        "client_id": key.client_id,
        "org": platform.seed.organization.guid,
        "owner": format!("bank:{}", platform.seed.bank.guid),
        "bank": platform.seed.bank.guid,
        "env": "sandbox",
        "scope": "accounts:read",
        "ip_allowlist": [ALLOWED, "1.1.1.0/24"],
    });
    assert_eq!(claims, expected);
}

/// CYB-4: an organization key's token names no bank; an empty list is left out.
#[tokio::test]
async fn an_organization_keys_token_has_no_bank_and_no_empty_list() {
    let platform = Platform::start().await;
    let token = platform.token(&platform.seed.organization.key).await;
    let claims = verified(
        &token,
        &keys(&platform).await,
        platform.stack.base_url(),
        "urn:latchkey:sandbox",
    );
    assert_eq!(
        claims["owner"],
        format!("organization:{}", platform.seed.organization.guid)
    );
    assert_eq!(claims["org"], platform.seed.organization.guid);
    assert!(
        claims.get("bank").is_none() && claims.get("ip_allowlist").is_none(),
        "{claims}"
    );
}

/// docs/requirements.md, Kinds: an audience and a signing key for each kind; neither's key verifies
/// the other's tokens.
#[tokio::test]
async fn sandbox_and_live_tokens_differ_in_key_and_audience() {
    let parameters = [(
        "LiveAudience".to_owned(),
        "https://live.example.com/".to_owned(),
    )]
    .into();
    let platform = Platform::with(Options {
        parameters,
        ..Options::default()
    })
    .await;
    let issuer = platform.stack.base_url();
    let (organization, key) = credentials::live_organization(&platform, Kyb::Approved).await;
    let (live, sandbox) = (
        platform.token(&key).await,
        platform.token(&platform.seed.bank.key).await,
    );
    let set = keys(&platform).await;
    let claims = verified(&live, &set, issuer, "https://live.example.com/");
    assert_eq!(
        (&claims["env"], &claims["org"]),
        (&json!("live"), &json!(organization.to_string()))
    );
    verified(&sandbox, &set, issuer, "urn:latchkey:sandbox");
    assert_ne!(part(&live, 0)["kid"], part(&sandbox, 0)["kid"]);
    for (token, other, audience) in [
        (&live, &sandbox, "https://live.example.com/"),
        (&sandbox, &live, "urn:latchkey:sandbox"),
    ] {
        let jwk = set.find(part(other, 0)["kid"].as_str().unwrap()).unwrap();
        assert!(
            decode(
                token,
                &DecodingKey::from_jwk(jwk).unwrap(),
                issuer,
                audience
            )
            .is_err()
        );
    }
}

/// RFC 8414 §2: the members, and that the server does what they say.
#[tokio::test]
async fn metadata_says_what_the_server_does() {
    let platform = Platform::start().await;
    let (anonymous, key, base) = (
        platform.anonymous(),
        &platform.seed.bank.key,
        platform.stack.base_url(),
    );
    let answer = anonymous.get(METADATA).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json"),
        "{answer:?}"
    );
    let scopes: Vec<String> = Catalogue::default()
        .scopes()
        .map(ToString::to_string)
        .collect();
    let expected = json!({
        "issuer": base,
        "token_endpoint": format!("{base}/oauth/token"),
        "introspection_endpoint": format!("{base}/oauth/introspect"),
        "revocation_endpoint": format!("{base}/oauth/revoke"),
        "jwks_uri": format!("{base}{JWKS}"),
        "scopes_supported": scopes,
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "introspection_endpoint_auth_methods_supported": [
            "client_secret_basic", "client_secret_post", "Bearer",
        ],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    });
    assert_eq!(answer.body, expected);
    let path = |member: &str| {
        answer.body[member]
            .as_str()
            .unwrap()
            .strip_prefix(base)
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        anonymous.get(&path("jwks_uri")).await.body["keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let endpoint = path("token_endpoint");
    let grant = [("grant_type", "client_credentials")];
    let posted = [
        grant[0],
        ("client_id", key.client_id.as_str()),
        ("client_secret", key.client_secret.as_str()),
    ];
    assert_eq!(anonymous.post_form(&endpoint, &posted).await.status, 200);
    let basic = anonymous
        .request(Method::POST, &endpoint)
        .basic_auth(&key.client_id, Some(&key.client_secret));
    let basic = basic
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials");
    assert_eq!(Answer::of(basic).await.status, 200);
    for endpoint in [path("introspection_endpoint"), path("revocation_endpoint")] {
        let posted = [posted[1], posted[2], ("token", "nonsense")];
        assert_eq!(
            anonymous.post_form(&endpoint, &posted).await.status,
            200,
            "{endpoint}"
        );
        let basic = anonymous
            .request(Method::POST, &endpoint)
            .basic_auth(&key.client_id, Some(&key.client_secret));
        let basic = basic
            .header("content-type", "application/x-www-form-urlencoded")
            .body("token=nonsense");
        assert_eq!(Answer::of(basic).await.status, 200, "{endpoint}");
    }
}

/// The issuer is configured (docs/requirements.md, Names on the wire): what is published and what
/// tokens say follow it, and tokens still pass.
#[tokio::test]
async fn the_issuer_is_the_configured_one() {
    let issuer = "https://auth.example.com";
    let parameters = [("Issuer".to_owned(), issuer.to_owned())].into();
    let platform = Platform::with(Options {
        parameters,
        ..Options::default()
    })
    .await;
    let metadata = platform.anonymous().get(METADATA).await;
    assert_eq!(metadata.body["issuer"], issuer);
    assert_eq!(
        metadata.body["token_endpoint"],
        format!("{issuer}/oauth/token")
    );
    assert_eq!(metadata.body["jwks_uri"], format!("{issuer}{JWKS}"));
    let bank = platform.bank().await;
    verified(
        bank.token(),
        &keys(&platform).await,
        issuer,
        "urn:latchkey:sandbox",
    );
    assert_eq!(bank.get("/v1/whoami").await.status, 200);
}

/// RFC 9110 §15.5.6: the documents are for reading.
#[tokio::test]
async fn documents_405_to_other_methods() {
    let platform = Platform::start().await;
    for path in [JWKS, METADATA] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = Answer::of(platform.anonymous().request(method, path)).await;
            answer.assert_error(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), "GET,HEAD", "{path}");
        }
        let head = Answer::of(platform.anonymous().request(Method::HEAD, path)).await;
        assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
    }
    platform
        .anonymous()
        .get("/.well-known/openid-configuration")
        .await
        .assert_error(404, "not_found");
}
