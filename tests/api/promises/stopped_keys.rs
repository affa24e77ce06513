//! What a token of a stopped key can still do in the seconds before every authorizer knows: nothing
//! that lasts.
//!
//! These go to the management function with the bearer and the authorizer's context as they were a
//! moment before the stop.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use domain::{key_mode::KeyMode, role::Role};
use emulator::gateway::Invoke;
use local::functions::Functions;
use operator::tenants::Credentials;
use serde_json::{Value, json};
use tests::{Caller, Platform, wait};

use crate::{five_second_bound, management_keys::seed_organization_key};

/// The scopes of an administrator's key.
const ADMINISTRATION: &str = "bank_applications:execute bank_applications:read \
                              bank_applications:write banks:execute banks:read banks:write \
                              accounts:read organization_applications:write";

/// The management function, called by a gateway whose authorizer has let this key's token in.
struct Admitted {
    functions: Arc<Functions>,
    context: Value,
    bearer: String,
}

impl Admitted {
    async fn new(platform: &Platform, key: &Credentials) -> Self {
        Self::of(platform, &platform.bearer(&platform.token(key).await)).await
    }

    /// This caller, let in.
    async fn of(platform: &Platform, caller: &Caller) -> Self {
        let services = platform.stack.services();
        let functions = Functions::start(services.description(), |function| {
            services.ambient_of(function)
        })
        .await
        .unwrap();
        let context = caller.get("/v1/whoami").await.body;
        Self {
            functions: Arc::new(functions),
            context,
            bearer: format!("Bearer {}", caller.token()),
        }
    }

    /// Status and body of a request to the function of keys that the authorizer let in.
    async fn send(&self, method: &str, resource: &str, path: &str, body: &Value) -> (u64, Value) {
        self.send_to("KeysFunction", method, resource, path, body)
            .await
    }

    /// Asserts that a request to the function of keys is refused with this status and message code.
    async fn assert_refused(
        &self,
        method: &str,
        resource: &str,
        path: &str,
        body: &Value,
        (status, code): (u64, &str),
    ) {
        let (answered, body) = self.send(method, resource, path, body).await;
        assert_eq!(
            (answered, body["message_code"].as_str()),
            (status, Some(code)),
            "{method} {path}: {body}"
        );
    }

    async fn send_to(
        &self,
        function: &str,
        method: &str,
        resource: &str,
        path: &str,
        body: &Value,
    ) -> (u64, Value) {
        let event = json!({
            "resource": resource,
            "path": path,
            "httpMethod": method,
            "headers": {
                "authorization": self.bearer,
                "content-type": "application/json",
                "host": "localhost",
            },
            "multiValueHeaders": {
                "authorization": [self.bearer],
                "content-type": ["application/json"],
                "host": ["localhost"],
            },
            "body": body.to_string(),
            "isBase64Encoded": false,
            "requestContext": {
                "authorizer": self.context,
                "identity": {"sourceIp": "8.8.8.8"},
                "httpMethod": method,
                "path": path,
                "resourcePath": resource,
                "stage": "main",
                "requestId": "1",
                "requestTimeEpoch": 0,
            },
        });
        let answer = self.functions.invoke(function, event).await.unwrap();
        let body =
            serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
        (answer["statusCode"].as_u64().unwrap(), body)
    }
}

#[tokio::test]
async fn a_stopped_key_confers_nothing_restores_nothing_and_a_key_never_restores_itself() {
    let platform = Platform::start().await;
    let (stopped, sibling) = (
        administrator_key(&platform).await,
        platform.bank_key(json!({})).await,
    );
    let admitted = Admitted::new(&platform, &stopped).await;
    let create = json!({"name": "made", "bank_guid": platform.seed.bank.guid});
    let (status, made) = admitted
        .send(
            "POST",
            "/api/bank_applications",
            "/api/bank_applications",
            &create,
        )
        .await;
    assert_eq!(status, 201, "{made}");

    let administrator = platform.organization().await;
    let act = async |key: &Credentials, verb: &str| {
        administrator
            .post(&format!("/api/keys/{}/{verb}", key.client_id), &Value::Null)
            .await
            .status
    };
    assert_eq!(act(&sibling, "deactivate").await, 200);
    let own_path = format!("/api/keys/{}/restore", administrator_id(&platform));
    administrator
        .post(&own_path, &Value::Null)
        .await
        .assert_error(403, "forbidden");
    assert_eq!(act(&stopped, "deactivate").await, 200);

    for (method, resource, path, body) in changes(&platform, &stopped, &sibling, &made) {
        admitted
            .assert_refused(
                method,
                resource,
                &path,
                &body,
                (401, "authentication_failed"),
            )
            .await;
    }
    let (resource, restore) = (
        "/api/keys/{client_id}/restore",
        format!("/api/keys/{}/restore", stopped.client_id),
    );
    // Whatever else a key may do to itself, it does not do this (above): nor when it has stopped.
    admitted
        .assert_refused(
            "POST",
            resource,
            &restore,
            &Value::Null,
            (401, "authentication_failed"),
        )
        .await;
    assert_eq!(
        act(&sibling, "restore").await,
        200,
        "it was still deactivated"
    );
}

/// A request: method, resource, path and body.
type Change = (&'static str, &'static str, String, Value);

/// Changes that the stopped key could make before it was stopped.
fn changes(
    platform: &Platform,
    stopped: &Credentials,
    sibling: &Credentials,
    made: &Value,
) -> Vec<Change> {
    let of_key =
        |key: &Credentials, operation: &str| format!("/api/keys/{}{operation}", key.client_id);
    let create = json!({"name": "made", "bank_guid": platform.seed.bank.guid});
    let of_bank =
        json!({"name": "made", "owner": {"type": "bank", "guid": platform.seed.bank.guid}});
    let edit = format!(
        "/api/bank_applications/{}",
        made["client_id"].as_str().unwrap()
    );
    let own = format!("/api/organization_applications/{}", stopped.client_id);
    vec![
        (
            "POST",
            "/api/keys/{client_id}/restore",
            of_key(sibling, "/restore"),
            Value::Null,
        ),
        (
            "POST",
            "/api/bank_applications",
            "/api/bank_applications".to_owned(),
            create,
        ),
        (
            "PATCH",
            "/api/bank_applications/{client_id}",
            edit,
            json!({"ip_allowlist": ["8.8.8.8"]}),
        ),
        (
            "POST",
            "/api/banks",
            "/api/banks".to_owned(),
            json!({"name": "made", "environment": "sandbox"}),
        ),
        ("POST", "/api/keys", "/api/keys".to_owned(), of_bank),
        (
            "PATCH",
            "/api/keys/{client_id}",
            of_key(sibling, ""),
            json!({"description": "d"}),
        ),
        (
            "POST",
            "/api/keys/{client_id}/rotate",
            of_key(sibling, "/rotate"),
            json!({}),
        ),
        (
            "POST",
            "/api/keys/{client_id}/rotate",
            of_key(stopped, "/rotate"),
            json!({}),
        ),
        (
            "PATCH",
            "/api/organization_applications/{client_id}",
            own,
            json!({"ip_allowlist": []}),
        ),
    ]
}

async fn administrator_key(platform: &Platform) -> Credentials {
    seed_organization_key(platform, KeyMode::Sandbox, ADMINISTRATION).await
}

fn administrator_id(platform: &Platform) -> &str {
    &platform.seed.organization.key.client_id
}

/// However a creation and the revocation of its creator race, no key is born after the revocation
/// was answered.
#[tokio::test]
async fn no_key_is_born_of_a_revoked_one() {
    let platform = Platform::start().await;
    let key = administrator_key(&platform).await;
    let admitted = Arc::new(Admitted::new(&platform, &key).await);
    let body = json!({"name": "made", "bank_guid": platform.seed.bank.guid});
    let made = Arc::new(AtomicU64::new(0));
    let makers: Vec<_> = (0..8)
        .map(|_| {
            let (admitted, body, made) = (admitted.clone(), body.clone(), made.clone());
            tokio::spawn(async move {
                while admitted
                    .send(
                        "POST",
                        "/api/bank_applications",
                        "/api/bank_applications",
                        &body,
                    )
                    .await
                    .0
                    == 201
                {
                    made.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    wait::until("the race is under way", async || {
        made.load(Ordering::SeqCst) >= 8
    })
    .await;
    let administrator = platform.organization().await;
    let revoked = administrator
        .post(&format!("/api/keys/{}/revoke", key.client_id), &Value::Null)
        .await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    let total = async || {
        administrator.get("/api/bank_applications").await.body["total"]
            .as_u64()
            .unwrap()
    };
    let at_the_answer = total().await;
    for maker in makers {
        maker.await.unwrap();
    }
    assert_eq!(total().await, at_the_answer);
    assert_eq!(
        at_the_answer,
        made.load(Ordering::SeqCst) + 1,
        "those made, and the seed's"
    );
}

/// HTTP allows what `http::HeaderValue` does not: no such header makes a 5xx of a request.
#[tokio::test]
async fn headers_beyond_ascii_are_no_5xx() {
    use reqwest::Method;
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    for path in ["/api/banks", "/v1/whoami", "/.well-known/jwks.json"] {
        let value = reqwest::header::HeaderValue::from_bytes("café".as_bytes()).unwrap();
        let answer = tests::Answer::of(
            caller
                .request(Method::GET, path)
                .header("user-agent", value),
        )
        .await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

/// A person whose role was narrowed a moment ago delegates by the role as it is (CBM-1), whatever
/// the authorizer saw.
#[tokio::test]
async fn cbm_1_a_narrowed_role_confers_nothing_from_that_moment_on() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let (user, caller) = platform
        .somebody("soon.viewer@example.com", Role::Admin, KeyMode::Sandbox)
        .await;
    let admitted = Admitted::of(&platform, &caller).await;
    let of_bank =
        json!({"name": "made", "owner": {"type": "bank", "guid": platform.seed.bank.guid}});
    let (status, made) = admitted
        .send("POST", "/api/keys", "/api/keys", &of_bank)
        .await;
    assert_eq!(status, 201, "{made}");
    let narrowed = owner
        .patch(
            &format!("/api/users/{}", user.guid),
            &json!({"role": "viewer"}),
        )
        .await;
    assert_eq!(narrowed.status, 200, "{narrowed:?}");
    let of_user = json!({"name": "made", "owner": {"type": "user", "guid": user.guid}});
    let key = format!("/api/keys/{}", made["client_id"].as_str().unwrap());
    for (method, resource, path, body) in [
        ("POST", "/api/keys", "/api/keys".to_owned(), of_bank),
        ("POST", "/api/keys", "/api/keys".to_owned(), of_user),
        (
            "PATCH",
            "/api/keys/{client_id}",
            key.clone(),
            json!({"name": "n"}),
        ),
        (
            "POST",
            "/api/keys/{client_id}/rotate",
            format!("{key}/rotate"),
            json!({}),
        ),
        (
            "POST",
            "/api/keys/{client_id}/restore",
            format!("{key}/restore"),
            json!({}),
        ),
    ] {
        admitted
            .assert_refused(method, resource, &path, &body, (403, "forbidden"))
            .await;
    }
}

/// A call that was let in before its key was revoked is done to its end: nothing asks for the key
/// again on the way.
#[tokio::test]
async fn arz_6_work_admitted_before_the_revocation_completes() {
    let platform = Platform::start().await;
    let key = platform.bank_key(json!({"name": "leaked"})).await;
    let bearer = platform.bearer(&platform.token(&key).await);
    let admitted = Admitted::of(&platform, &bearer).await;
    let revoke = format!("/api/keys/{}/revoke", key.client_id);
    assert_eq!(
        platform
            .organization()
            .await
            .post(&revoke, &Value::Null)
            .await
            .status,
        200
    );
    five_second_bound::die(&[&bearer]).await;
    let (status, body) = admitted
        .send_to(
            "SampleApiFunction",
            "GET",
            "/v1/whoami",
            "/v1/whoami",
            &Value::Null,
        )
        .await;
    assert_eq!(
        (status, &body["client_id"]),
        (200, &json!(key.client_id)),
        "{body}"
    );
}
