//! A run of good requests and a run of bad ones, and the secrets and tokens that the platform hands
//! out to them.

use domain::gate::Kyb;
use local::seed::Seed;
use operator::tenants::Credentials;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Caller, Platform, platform::ALLOWED};

use super::{misplaced_secrets, search::Needles};
use crate::credentials;

/// Everything that was handed out.
#[derive(Default)]
pub(super) struct HandedOut {
    pub(super) keys: Vec<Credentials>,
    /// Secrets of personal keys, and those that a rotation made.
    pub(super) secrets: Vec<String>,
    pub(super) tokens: Vec<String>,
}

impl HandedOut {
    pub(super) fn key(&mut self, answer: &Answer) -> Credentials {
        assert_eq!(answer.status, 201, "{answer:?}");
        self.keys.push(tests::platform::credentials(&answer.body));
        self.keys[self.keys.len() - 1].clone()
    }

    pub(super) fn token(&mut self, answer: &Answer) -> String {
        assert_eq!(answer.status, 200, "{answer:?}");
        self.tokens
            .push(answer.body["access_token"].as_str().unwrap().to_owned());
        self.tokens[self.tokens.len() - 1].clone()
    }

    /// Tokens by every route and way there is.
    pub(super) async fn tokens(&mut self, platform: &Platform, key: &Credentials) {
        let (
            anonymous,
            Credentials {
                client_id,
                client_secret,
            },
        ) = (platform.anonymous().from(ALLOWED), key);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", client_secret),
        ];
        let basic = anonymous
            .request(Method::POST, "/oauth/token")
            .basic_auth(client_id, Some(client_secret));
        let basic = basic
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        for answer in [
            anonymous.post_form("/oauth/token", &form).await,
            platform.request_token(key, anonymous.clone()).await,
            Answer::of(basic).await,
            anonymous
                .post("/v1/auth/token", &json!({"client_secret": client_secret}))
                .await,
        ] {
            let token = self.token(&answer);
            assert!(
                [200, 401].contains(
                    &platform
                        .bearer(&token)
                        .from(ALLOWED)
                        .get("/v1/whoami")
                        .await
                        .status
                )
            );
        }
    }
}

/// What works: keys of every owner and kind, tokens by every route, changes, revocations.
pub(super) async fn good_run(platform: &Platform, handed_out: &mut HandedOut) {
    let Seed {
        organization, bank, ..
    } = platform.seed.clone();
    handed_out
        .keys
        .extend([organization.key.clone(), bank.key.clone()]);
    let answer = platform
        .request_token(&organization.key, platform.anonymous())
        .await;
    let caller = platform.bearer(&handed_out.token(&answer));
    let body =
        json!({"name": "the name that is kept", "bank_guid": bank.guid, "ip_allowlist": [ALLOWED]});
    let of_bank = handed_out.key(&caller.post("/api/bank_applications", &body).await);
    let of_organization = handed_out.key(
        &caller
            .post(
                "/api/organization_applications",
                &json!({"name": "another"}),
            )
            .await,
    );
    let short = handed_out.key(
        &caller
            .post(
                "/api/bank_applications",
                &json!({"name": "short", "bank_guid": bank.guid}),
            )
            .await,
    );
    let (_, live) = credentials::live_organization(platform, Kyb::Approved).await;
    handed_out.keys.push(live);
    for key in handed_out.keys.clone() {
        handed_out.tokens(platform, &key).await;
    }
    ask_about_and_revoke(platform, handed_out, &bank.key).await;
    rotate(&caller, handed_out, &of_bank).await;
    use_personal_keys(platform, handed_out).await;
    let path = format!("/api/bank_applications/{}", of_bank.client_id);
    assert_eq!(
        caller
            .patch(&path, &json!({"name": "renamed", "ip_allowlist": []}))
            .await
            .status,
        200
    );
    for path in [
        path.as_str(),
        "/api/bank_applications",
        "/api/organization_applications",
        "/api/banks",
    ] {
        assert_eq!(caller.get(path).await.status, 200, "{path}");
    }
    assert_eq!(
        caller
            .delete(&format!("/api/bank_applications/{}", short.client_id))
            .await
            .status,
        204
    );
    let revoked = caller
        .post(
            &format!("/api/keys/{}/revoke", of_organization.client_id),
            &json!({}),
        )
        .await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    for key in [short, of_organization] {
        platform
            .request_token(&key, platform.anonymous())
            .await
            .assert_oauth_error(401, "invalid_client");
    }
}

/// A customer's token, its introspection and its revocation.
async fn ask_about_and_revoke(platform: &Platform, handed_out: &mut HandedOut, bank: &Credentials) {
    let parent = handed_out.token(&platform.request_token(bank, platform.anonymous()).await);
    let body =
        json!({"customer_guid": "c0ffee00c0ffee00c0ffee00c0ffee00", "scopes": ["accounts:read"]});
    let issued = platform
        .bearer(&parent)
        .post("/api/customer_tokens", &body)
        .await;
    assert_eq!(issued.status, 201, "{issued:?}");
    let customer = issued.body["access_token"].as_str().unwrap().to_owned();
    handed_out.tokens.push(customer.clone());
    let body = json!({
        "client_id": bank.client_id,
        "client_secret": bank.client_secret,
        "token": customer,
    });
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        assert_eq!(
            platform.anonymous().post(path, &body).await.status,
            200,
            "{path}"
        );
    }
}

/// A key's second secret, and the end of its first.
async fn rotate(caller: &Caller, handed_out: &mut HandedOut, key: &Credentials) {
    let rotated = caller
        .post(&format!("/api/keys/{}/rotate", key.client_id), &json!({}))
        .await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    handed_out
        .secrets
        .push(rotated.body["secret"].as_str().unwrap().to_owned());
    let finished = caller
        .post(
            &format!("/api/keys/{}/finish_rotation", key.client_id),
            &json!({}),
        )
        .await;
    assert_eq!(finished.status, 200, "{finished:?}");
}

/// Secrets that are sent as they are: to a guarded API, to the management API and to be asked
/// about.
async fn use_personal_keys(platform: &Platform, handed_out: &mut HandedOut) {
    let Seed { users, staff, .. } = &platform.seed;
    let body = json!({"owner": {"type": "user", "guid": users.owner.guid}, "name": "mine"});
    let made = platform.owner().post("/api/keys", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    handed_out
        .secrets
        .push(made.body["secret"].as_str().unwrap().to_owned());
    let people = [
        &users.owner,
        &users.developer,
        &users.viewer,
        &staff.support,
        &staff.security,
        &staff.operations,
    ];
    handed_out
        .secrets
        .extend(people.map(|person| person.secret.clone()));
    for secret in &handed_out.secrets {
        let caller = platform.bearer(secret);
        for path in ["/v1/whoami", "/api/organizations"] {
            assert!(caller.get(path).await.status < 500);
        }
        assert!(
            caller
                .post("/oauth/introspect", &json!({"token": secret}))
                .await
                .status
                < 500
        );
    }
}

/// What fails, or works in spite of what is superfluous. No answer is a 5xx or says a secret back.
pub(super) async fn bad_run(platform: &Platform, handed_out: &HandedOut, needles: &Needles) {
    let caller = platform.organization().await;
    let mut places = 0;
    for text in [
        &handed_out.keys[3].client_secret,
        &handed_out.tokens[1],
        &handed_out.secrets[1],
    ] {
        for request in misplaced_secrets::requests(platform, &caller, text) {
            let described = request
                .try_clone()
                .and_then(|request| request.build().ok())
                .map(|request| format!("{request:?}"));
            let answer = Answer::of(request).await;
            assert!(answer.status < 500, "{described:?}: {answer:?}");
            let said_back =
                needles.found_in(format!("{:?}{}", answer.headers, answer.text).as_bytes());
            assert!(
                said_back.is_empty(),
                "{described:?}: {said_back:?} in {answer:?}"
            );
            places += 1;
        }
    }
    assert!(places > 300, "{places}");
}
