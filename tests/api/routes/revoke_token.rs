//! `POST /oauth/revoke` (RFC 7009): one token, and those derived from it, before their time.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    audit,
    gate::Kyb,
    key_mode::{BankEnvironment, KeyMode},
};
use operator::tenants::Credentials;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Answer, Caller, Platform,
    platform::{ALLOWED, ELSEWHERE},
};

use crate::{
    credentials::{self, claims},
    five_second_bound::{BOUND, die, live},
    management_keys::{seed_organization, seed_organization_key},
    routes::customer_tokens,
};

const PATH: &str = "/oauth/revoke";

async fn revoke(caller: &Caller, client: &Credentials, token: &str) -> Answer {
    let body = json!({
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "token": token,
    });
    caller.post(PATH, &body).await
}

/// RFC 7009 §2.2: a success has nothing to say.
#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (200, ""),
        "{answer:?}"
    );
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
}

/// The `token.revoke` events of the seed organization.
async fn revocations(platform: &Platform) -> Vec<Value> {
    let chain = platform
        .stack
        .services()
        .store()
        .unwrap()
        .audit_chain(seed_organization(platform))
        .await
        .unwrap();
    let links = chain
        .links
        .iter()
        .map(|link| (link, chain.events[&link.event].as_str()));
    audit::verify(links).unwrap();
    let events = chain
        .events
        .values()
        .map(|event| serde_json::from_str::<Value>(event).unwrap());
    events
        .filter(|event| event["action"] == "token.revoke")
        .collect()
}

/// RFC 7009 §2.1: the token dies within the bound, and neither its key nor another token of it; the
/// change is audited.
#[tokio::test]
async fn rfc_7009_200_and_the_token_dies() {
    let platform = Platform::start().await;
    let key = &platform.seed.bank.key;
    let (token, other) = (platform.bank().await, platform.bank().await);
    live(&[&token, &other]).await;
    assert_done(&revoke(&platform.anonymous().from(ALLOWED), key, token.token()).await);
    die(&[&token]).await;
    live(&[&other, &platform.bank().await]).await;
    let events = revocations(&platform).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["target"], claims(token.token())["jti"]);
    assert_eq!(
        events[0]["actor"],
        json!({"type": "key", "client_id": key.client_id, "jti": ""})
    );
    assert_eq!(events[0]["source_ip"], ALLOWED);
    assert_eq!(events[0]["changes"]["client_id"], json!(key.client_id));
}

/// A form as the standard has it, HTTP Basic, and any hint.
#[tokio::test]
async fn rfc_7009_200_to_a_form_and_basic_with_any_hint() {
    let platform = Platform::start().await;
    let Credentials {
        client_id,
        client_secret,
    } = &platform.seed.bank.key;
    let mut revoked = Vec::new();
    for hint in ["access_token", "refresh_token", "nonsense"] {
        let token = platform.bank().await;
        let basic = format!(
            "Basic {}",
            STANDARD.encode(format!("{client_id}:{client_secret}"))
        );
        let request = platform
            .anonymous()
            .request(Method::POST, PATH)
            .header("authorization", basic);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        assert_done(
            &Answer::of(request.body(format!("token={}&token_type_hint={hint}", token.token())))
                .await,
        );
        revoked.push(token);
    }
    let token = platform.bank().await;
    let form = [
        ("token", token.token()),
        ("client_id", client_id),
        ("client_secret", client_secret),
    ];
    assert_done(&platform.anonymous().post_form(PATH, &form).await);
    revoked.push(token);
    die(&revoked.iter().collect::<Vec<_>>()).await;
}

/// An organization's key revokes what its banks' keys obtained, and a bank's key what it obtained
/// for customers.
#[tokio::test]
async fn rfc_7009_200_to_the_organization_and_to_the_customers_bank() {
    let platform = Platform::start().await;
    let bank = platform.bank().await;
    let (first, second) = (
        customer_tokens::issue(&platform, &bank, &json!({})).await,
        customer_tokens::issue(&platform, &bank, &json!({})).await,
    );
    assert_done(
        &revoke(
            &platform.anonymous(),
            &platform.seed.bank.key,
            first.token(),
        )
        .await,
    );
    die(&[&first]).await;
    live(&[&bank, &second]).await;
    assert_done(
        &revoke(
            &platform.anonymous(),
            &platform.seed.organization.key,
            bank.token(),
        )
        .await,
    );
    die(&[&bank, &second]).await;
    assert_eq!(revocations(&platform).await.len(), 2);
}

/// RFC 7009 §2.2: what is no token, or none any more, is no error and writes nothing; nor does a
/// second revoke.
#[tokio::test]
async fn rfc_7009_200_and_nothing_written_for_what_is_over() {
    let platform = Platform::start().await;
    let (key, anonymous) = (&platform.seed.bank.key, platform.anonymous());
    let good = platform.token(key).await;
    let last = if good.ends_with('A') { "B" } else { "A" };
    for token in [
        "nonsense".to_owned(),
        "a.b.c".into(),
        "a".repeat(5000),
        format!("{}{last}", &good[..good.len() - 1]),
        format!("{good}x"),
    ] {
        assert_done(&revoke(&anonymous, key, &token).await);
    }
    let (_, _, _, stranger) = platform.neighbour().await;
    let strangers = platform.token(&stranger).await;
    let expired = platform.bank().await;
    platform.advance(Duration::from_secs(1_811));
    assert_done(&revoke(&anonymous, key, expired.token()).await);
    assert_done(&revoke(&anonymous, key, &strangers).await);
    assert!(revocations(&platform).await.is_empty());

    let token = platform.bank().await;
    assert_done(&revoke(&anonymous, key, token.token()).await);
    die(&[&token]).await;
    for client in [key, &platform.seed.organization.key] {
        assert_done(&revoke(&anonymous, client, token.token()).await);
    }
    assert_eq!(revocations(&platform).await.len(), 1);
}

/// A token that is stopped for now is not over: revoked meanwhile, it stays dead when its key works
/// again.
#[tokio::test]
async fn rfc_7009_200_for_a_token_of_a_deactivated_key() {
    let platform = Platform::start().await;
    let organization = platform.organization().await;
    let key = platform.bank_key(json!({})).await;
    let (revoked, kept) = (
        platform.bearer(&platform.token(&key).await),
        platform.bearer(&platform.token(&key).await),
    );
    let act = async |verb: &str| {
        let answer = organization
            .post(&format!("/api/keys/{}/{verb}", key.client_id), &json!({}))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    act("deactivate").await;
    die(&[&revoked, &kept]).await;
    assert_done(
        &revoke(
            &platform.anonymous(),
            &platform.seed.organization.key,
            revoked.token(),
        )
        .await,
    );
    assert_eq!(revocations(&platform).await.len(), 1);
    act("restore").await;
    platform.advance(BOUND);
    live(&[&kept]).await;
    revoked
        .get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
}

/// RFC 7009 §2.1: a token of another client's is refused, whether it works or not; and it goes on
/// to work.
#[tokio::test]
async fn rfc_7009_400_to_a_token_of_another_client() {
    let platform = Platform::start().await;
    let anonymous = platform.anonymous();
    let (_, their_organization, _, their_bank) = platform.neighbour().await;
    let sibling = platform.bank_key(json!({})).await;
    let (theirs, siblings, own, organizations) = (
        platform.bearer(&platform.token(&their_bank).await),
        platform.bearer(&platform.token(&sibling).await),
        platform.bank().await,
        platform.organization().await,
    );
    let (bank, organization) = (&platform.seed.bank.key, &platform.seed.organization.key);
    let live_key = seed_organization_key(&platform, KeyMode::Live, "banks:read").await;
    platform
        .operator()
        .kyb(seed_organization(&platform), Kyb::Approved)
        .await
        .unwrap();
    for (client, token) in [
        (bank, &theirs),
        (bank, &siblings),
        (bank, &organizations),
        (organization, &theirs),
        (&their_organization, &own),
        (&live_key, &own),
    ] {
        let refused = revoke(&anonymous, client, token.token()).await;
        refused.assert_oauth_error(400, "unauthorized_client");
    }
    live(&[&theirs, &siblings, &own, &organizations]).await;
    assert!(revocations(&platform).await.is_empty());
    // Dead or alive: whoever holds a stranger's token learns nothing of what became of it.
    assert_done(&revoke(&anonymous, &their_bank, theirs.token()).await);
    die(&[&theirs]).await;
    revoke(&anonymous, bank, theirs.token())
        .await
        .assert_oauth_error(400, "unauthorized_client");
}

/// The two kinds are apart: a live organization key revokes live tokens.
#[tokio::test]
async fn rfc_7009_200_to_a_live_organization() {
    let platform = Platform::start().await;
    let (guid, organization) = credentials::live_organization(&platform, Kyb::Approved).await;
    let (_, bank) = platform
        .operator()
        .bank(guid, "Live bank", BankEnvironment::Production)
        .await
        .unwrap();
    let token = platform.token(&bank).await;
    assert_done(&revoke(&platform.anonymous(), &organization, &token).await);
    platform.advance(BOUND);
    let body = json!({
        "client_id": organization.client_id,
        "client_secret": organization.client_secret,
        "token": token,
    });
    let told = platform.anonymous().post("/oauth/introspect", &body).await;
    assert_eq!(told.body, json!({"active": false}));
}

/// RFC 7009 §2.2.1: a key's secret is not ended here, and the key goes on to work.
#[tokio::test]
async fn rfc_7009_400_to_a_secret() {
    let platform = Platform::start().await;
    let key = &platform.seed.bank.key;
    for secret in [
        &key.client_secret,
        &platform.seed.organization.key.client_secret,
        &platform.seed.users.owner.secret,
    ] {
        let refused = revoke(&platform.anonymous(), key, secret).await;
        refused.assert_oauth_error(400, "unsupported_token_type");
        assert!(!refused.text.contains(secret.as_str()));
    }
    live(&[&platform.bank().await, &platform.owner()]).await;
}

/// Authentication and parameters as at `/oauth/token` (RFC 7009 §2.1, CYB-6).
#[tokio::test]
async fn rfc_7009_4xx_to_bad_requests() {
    let platform = Platform::start().await;
    let (anonymous, key) = (platform.anonymous(), &platform.seed.bank.key);
    let token = platform.bank().await;
    anonymous
        .post(PATH, &json!({"token": token.token()}))
        .await
        .assert_oauth_error(401, "invalid_client");
    // A token does not authenticate its client: whoever found one does not end it.
    token
        .post(PATH, &json!({"token": token.token()}))
        .await
        .assert_oauth_error(401, "invalid_client");
    for (what, key) in credentials::refused(&platform).await {
        let answer = revoke(&anonymous, &key, token.token()).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
    }
    for wrong in [json!(null), json!(""), json!(7)] {
        let body =
            json!({"client_id": key.client_id, "client_secret": key.client_secret, "token": wrong});
        anonymous
            .post(PATH, &body)
            .await
            .assert_oauth_error(400, "invalid_request");
    }
    let restricted = platform.bank_key(json!({"ip_allowlist": [ALLOWED]})).await;
    let refused = revoke(&anonymous.from(ELSEWHERE), &restricted, "a").await;
    refused.assert_oauth_error(403, "forbidden");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = Answer::of(anonymous.request(method.clone(), PATH)).await;
        answer.assert_oauth_error(405, "invalid_request");
        assert_eq!(answer.header("allow"), "POST", "{method}");
    }
    assert!(revocations(&platform).await.is_empty());
}

/// A token can be revoked while the function cannot tell whether it works.
#[tokio::test]
async fn rfc_7009_200_while_the_feed_cannot_be_read() {
    let platform = Platform::start().await;
    let (token, key) = (platform.bank().await, &platform.seed.bank.key);
    live(&[&token]).await;
    let authority = platform.stack.services().cloud().authority().clone();
    let rules = (*authority.rules()).clone();
    let reads_the_feed = rules.granted().into_iter().find(|granted| {
        granted.function == "TokensFunction"
            && granted.permission.action == "dynamodb:Query"
            && granted.resource == "FeedTable"
            && granted.permission.condition.contains("F#*")
    });
    let without = rules.without(&reads_the_feed.unwrap().permission);
    authority.enforce(without).unwrap();
    platform.advance(Duration::from_secs(5));
    let body = json!({
        "client_id": key.client_id,
        "client_secret": key.client_secret,
        "token": token.token(),
    });
    let asked = platform.anonymous().post("/oauth/introspect", &body).await;
    asked.assert_oauth_error(503, "temporarily_unavailable");
    assert_done(&revoke(&platform.anonymous(), key, token.token()).await);
    die(&[&token]).await;
}
