//! Credentials for the tests of several routes: wrong ones in every way, and those of live
//! organizations.

use std::time::Duration;

use domain::{
    gate::Kyb,
    ids::Guid,
    key_mode::KeyMode,
    secret::{Brand, PlainSecret},
};
use operator::tenants::Credentials;
use runtime::Entropy;
use serde_json::{Value, json};
use tests::Platform;

/// docs/requirements.md, Errors: the one static 401, from the gateway and from the functions.
pub const UNAUTHENTICATED: &str = "Access token is missing, invalid or revoked, or Signature has \
                                   expired: request a new token; expiry needs no rotation";

/// A secret of the right format that was never issued.
pub fn never_issued(client_id: &str, kind: KeyMode) -> String {
    let brand = Brand::parse("lk").unwrap();
    PlainSecret::mint(
        &brand,
        kind,
        client_id.parse().unwrap(),
        &Entropy::system().secret(),
    )
    .expose()
    .to_string()
}

/// A live organization with an organization key of every scope; its KYB is approved or still
/// pending.
pub async fn live_organization(platform: &Platform, kyb: Kyb) -> (Guid, Credentials) {
    let operator = platform.operator();
    let (organization, key) = operator
        .organization("Live organization", KeyMode::Live)
        .await
        .unwrap();
    if kyb != Kyb::Pending {
        operator.kyb(organization, kyb).await.unwrap();
    }
    (organization, key)
}

/// Credentials that must all be refused alike, each with a word for what is wrong. The clock moves
/// on by a minute.
pub async fn refused(platform: &Platform) -> Vec<(&'static str, Credentials)> {
    let good = &platform.seed.bank.key;
    let other = platform.bank_key(json!({})).await;
    let unknown = Entropy::system().client_id().to_string();
    let revoked = platform.bank_key(json!({})).await;
    let revocation = platform
        .organization()
        .await
        .post(
            &format!("/api/keys/{}/revoke", revoked.client_id),
            &json!({}),
        )
        .await;
    assert_eq!(revocation.status, 200, "{revocation:?}");
    let expired = platform
        .bank_key(json!({"expires_at": in_future(platform, Duration::from_secs(30))}))
        .await;
    let (_, inactive) = live_organization(platform, Kyb::Pending).await;
    platform.advance(Duration::from_secs(61));
    let pair = |client_id: &str, client_secret: String| Credentials {
        client_id: client_id.to_owned(),
        client_secret,
    };
    let mut checksum = good.client_secret.clone();
    let last = if checksum.ends_with('0') { "1" } else { "0" };
    checksum.replace_range(checksum.len() - 1.., last);
    vec![
        ("a mistyped checksum", pair(&good.client_id, checksum)),
        ("no secret at all", pair(&good.client_id, "secret".into())),
        (
            "a secret with white space",
            pair(&good.client_id, format!("{}%20", good.client_secret)),
        ),
        (
            "another brand",
            pair(
                &good.client_id,
                good.client_secret.replacen("lk_", "kl_", 1),
            ),
        ),
        (
            "the right client and the wrong random part",
            pair(
                &good.client_id,
                never_issued(&good.client_id, KeyMode::Sandbox),
            ),
        ),
        (
            "the wrong kind",
            pair(
                &good.client_id,
                never_issued(&good.client_id, KeyMode::Live),
            ),
        ),
        (
            "the secret of another key",
            pair(&good.client_id, other.client_secret.clone()),
        ),
        (
            "the client_id of another key",
            pair(&other.client_id, good.client_secret.clone()),
        ),
        (
            "an unknown client",
            pair(&unknown, never_issued(&unknown, KeyMode::Sandbox)),
        ),
        ("a revoked key", revoked),
        ("an expired key", expired),
        ("an inactive key", inactive),
    ]
}

/// A moment from now, as the API writes times.
pub fn in_future(platform: &Platform, by: Duration) -> String {
    ((platform.stack.services().ambient().clock)() + by).to_string()
}

/// What a token says, unverified.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// A part of a token, 0 the header, 1 the claims.
pub fn part(token: &str, index: usize) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let bytes = URL_SAFE_NO_PAD
        .decode(token.split('.').nth(index).unwrap())
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
