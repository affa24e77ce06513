//! Who one is, and what is another's: no credential is the static 401, and another tenant's thing
//! is exactly the 404 of nothing at all, on every route (docs/requirements.md, Errors).

use domain::{
    gate::Plan,
    ids::ClientId,
    key_mode::KeyMode,
    operation::{self, Rule, Scopes},
    role::Role,
};
use local::seed::Seed;
use operator::tenants::Credentials;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use crate::{
    management_keys::seed_organization,
    organization_snapshot::{appearance, organization_snapshot},
    people::Person,
};

/// A route of the management API, as the template has it.
pub struct Guarded {
    pub method: Method,
    pub path: String,
}

impl Guarded {
    /// Every route of the template behind the management API's authorizer.
    pub fn all(platform: &Platform) -> Vec<Self> {
        let routes = &platform.stack.services().description().api.routes;
        let guarded = routes
            .iter()
            .filter(|route| route.authorizer.as_deref() == Some("ManagementAuthorizer"));
        guarded
            .map(|route| Self {
                method: route.method.parse().unwrap(),
                path: route.path.clone(),
            })
            .collect()
    }

    fn rule(&self) -> &Rule {
        operation::of_route(self.method.as_str(), &self.path)
            .expect("a row of the table of operations")
    }

    /// Whether a machine may call it, with the right scopes.
    pub fn is_for_machines(&self) -> bool {
        matches!(self.rule().scopes, Scopes::AnyOf(_))
    }

    /// Whether the people of a tenant may call it.
    pub fn is_for_owners(&self) -> bool {
        self.rule().role(Role::Owner).is_some()
    }

    /// The path with `id` for its variable.
    pub fn path_of(&self, id: &str) -> String {
        self.path.replace("{guid}", id).replace("{client_id}", id)
    }

    /// A body that the route takes, where it takes one. A bank's or key's owner is named by
    /// `bank_guid`.
    pub fn body(&self, bank_guid: &str) -> Option<Value> {
        match (self.method.as_str(), self.path.as_str()) {
            ("GET" | "DELETE", _) => None,
            ("POST", "/api/banks") => Some(json!({"name": "n", "environment": "sandbox"})),
            ("POST", "/api/bank_applications") => {
                Some(json!({"name": "n", "bank_guid": bank_guid}))
            }
            ("POST", "/api/keys") => {
                Some(json!({"owner": {"type": "bank", "guid": bank_guid}, "name": "n"}))
            }
            ("POST", path) if path.starts_with("/api/keys/") => Some(json!({})),
            ("POST", "/api/users") => Some(json!({"email": "n@example.com"})),
            ("PATCH", "/api/users/{guid}") => Some(json!({"role": "viewer"})),
            ("PUT", "/api/organizations/{guid}/kyb") => Some(json!({"status": "pending"})),
            ("PUT", "/api/organizations/{guid}/plan") => Some(json!({"plan": "pro"})),
            ("POST", "/api/incidents/revoke") => {
                Some(json!({"bank_guid": bank_guid, "reason": "n", "dry_run": true}))
            }
            ("POST", "/api/customer_tokens") => Some(json!({
                "customer_guid": "0123456789abcdef0123456789abcdef",
                "scopes": ["customers:read"],
            })),
            _ => Some(json!({"name": "n"})),
        }
    }

    /// Calls it.
    pub async fn call(&self, caller: &Caller, id: &str, bank_guid: &str) -> Answer {
        let request = caller.request(self.method.clone(), &self.path_of(id));
        Answer::of(match self.body(bank_guid) {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// Asserts that these ids of another tenant are answered with the 404 of nothing.
    async fn assert_hides(&self, caller: &Caller, foreign: &[String]) {
        let nothing = self.call(caller, UNKNOWN, UNKNOWN).await;
        nothing.assert_error(404, "not_found");
        assert_eq!(nothing.body["message"], "There is no such resource");
        for id in foreign {
            let answer = self.call(caller, id, UNKNOWN).await;
            assert_eq!(
                appearance(&answer),
                appearance(&nothing),
                "{} {} {id}",
                self.method,
                self.path
            );
        }
    }
}

/// The id of nothing.
const UNKNOWN: &str = "0123456789abcdef0123456789abcdef";

/// The ids of a tenant: of its organization, bank and owner, and of two keys, each by its client id
/// and its guid.
fn ids(guids: [&String; 3], keys: [&Credentials; 2]) -> Vec<String> {
    let guid_of = |key: &Credentials| {
        key.client_id
            .parse::<ClientId>()
            .unwrap()
            .guid()
            .to_string()
    };
    let names = guids
        .into_iter()
        .cloned()
        .chain(keys.map(|key| key.client_id.clone()));
    names.chain(keys.map(guid_of)).collect()
}

#[tokio::test]
async fn not_found_when_it_is_anothers_on_every_route() {
    let platform = Platform::start().await;
    let (neighbour, neighbour_key, neighbour_bank, neighbour_bank_key) = platform.neighbour().await;
    let ours = platform.organization().await;
    let theirs = platform.bearer(&platform.token(&neighbour_key).await);
    platform
        .operator()
        .plan(neighbour, Plan::Pro)
        .await
        .unwrap();
    let their_owner = Person::of(&platform, neighbour, Role::Owner, KeyMode::Sandbox).await;
    let our_estate = organization_snapshot(&platform, &ours, seed_organization(&platform)).await;
    let their_estate = organization_snapshot(&platform, &theirs, neighbour).await;
    let Seed {
        organization,
        bank,
        users,
        ..
    } = &platform.seed;
    let our_ids = ids(
        [&organization.guid, &bank.guid, &users.owner.guid],
        [&organization.key, &bank.key],
    );
    let guids = [
        &neighbour.to_string(),
        &neighbour_bank.to_string(),
        &their_owner.guid,
    ];
    let their_ids = ids(guids, [&neighbour_key, &neighbour_bank_key]);
    let of_tenants = |route: &Guarded| {
        route.path.contains('{') && (route.is_for_machines() || route.is_for_owners())
    };
    let items: Vec<_> = Guarded::all(&platform)
        .into_iter()
        .filter(of_tenants)
        .collect();
    assert!(items.len() >= 22, "every route that names one thing");
    let sides = [
        (&ours, platform.owner(), &their_ids),
        (&theirs, their_owner.caller.clone(), &our_ids),
    ];
    for (machine, owner, foreign) in &sides {
        for (route, caller) in items
            .iter()
            .flat_map(|route| [(route, *machine), (route, owner)])
            .filter(|(route, caller)| {
                if std::ptr::eq(*caller, owner) {
                    route.is_for_owners()
                } else {
                    route.is_for_machines()
                }
            })
        {
            route.assert_hides(caller, foreign).await;
        }
        for id in *foreign {
            let nothing = machine
                .post(
                    "/api/bank_applications",
                    &json!({"name": "n", "bank_guid": UNKNOWN}),
                )
                .await;
            let answer = machine
                .post(
                    "/api/bank_applications",
                    &json!({"name": "n", "bank_guid": id}),
                )
                .await;
            nothing.assert_error(422, "invalid_parameter");
            assert_eq!(appearance(&answer), appearance(&nothing), "{id}");
        }
    }
    assert_eq!(
        organization_snapshot(&platform, &ours, seed_organization(&platform)).await,
        our_estate
    );
    assert_eq!(
        organization_snapshot(&platform, &theirs, neighbour).await,
        their_estate
    );
    for key in [
        &neighbour_key,
        &neighbour_bank_key,
        &platform.seed.organization.key,
        &platform.seed.bank.key,
    ] {
        platform.token(key).await;
    }
}

/// What each does shows in its own lists alone.
#[tokio::test]
async fn one_tenants_changes_do_not_show_in_anothers_lists() {
    let platform = Platform::start().await;
    let (neighbour, neighbour_key, ..) = platform.neighbour().await;
    let ours = platform.organization().await;
    let theirs = platform.bearer(&platform.token(&neighbour_key).await);
    let their_estate = organization_snapshot(&platform, &theirs, neighbour).await;
    let bank = ours
        .post(
            "/api/banks",
            &json!({"name": "Ours", "environment": "sandbox"}),
        )
        .await;
    for (path, body) in [
        (
            "/api/bank_applications",
            json!({"name": "ours", "bank_guid": bank.body["guid"]}),
        ),
        ("/api/organization_applications", json!({"name": "ours"})),
    ] {
        let made = ours.post(path, &body).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(ours.get(path).await.body["total"], 2);
    }
    assert_eq!(
        organization_snapshot(&platform, &theirs, neighbour).await,
        their_estate
    );
}

/// The one static 401, on every route, whatever is wrong with the credential.
#[tokio::test]
async fn authentication_failed_when_the_token_is_missing_or_not_one() {
    let platform = Platform::start().await;
    let all = platform.organization().await;
    let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
    let token = all.token().to_owned();
    let headers = wrong_headers(&token, &platform.seed.bank.key);
    let message = "Access token is missing, invalid or revoked, or Signature has expired: request \
                   a new token; expiry needs no rotation";
    let expected = json!({
        "status": 401,
        "error": "unauthorized",
        "message_code": "authentication_failed",
        "message": message,
        "error_message": message,
    });
    for route in Guarded::all(&platform) {
        for id in [&platform.seed.bank.guid, &platform.seed.bank.key.client_id] {
            for header in &headers {
                let mut request = platform
                    .anonymous()
                    .request(route.method.clone(), &route.path_of(id));
                if let Some(header) = header {
                    request = request.header("authorization", header);
                }
                if let Some(body) = route.body(&platform.seed.bank.guid) {
                    request = request.json(&body);
                }
                let answer = Answer::of(request).await;
                assert_eq!(
                    (answer.status, &answer.body),
                    (401, &expected),
                    "{} {} {header:?}",
                    route.method,
                    route.path
                );
                assert_eq!(
                    (
                        answer.header("www-authenticate"),
                        answer.header("cache-control")
                    ),
                    ("Bearer", "no-store")
                );
            }
        }
    }
    for (first, second) in [(&*token, &*token), (&token, "wrong"), ("wrong", &token)] {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let twice = platform.bearer(first).request(method.clone(), "/api/banks");
            let twice = twice
                .header("authorization", format!("Bearer {second}"))
                .json(&json!({"name": "b", "environment": "sandbox"}));
            let answer = Answer::of(twice).await;
            assert_eq!(
                answer.status, 401,
                "{method}: two headers are none: {answer:?}"
            );
            assert!(
                method == Method::HEAD || answer.body == expected,
                "{method}: {answer:?}"
            );
        }
    }
    platform.advance(std::time::Duration::from_secs(1801));
    assert_eq!(
        all.get("/api/banks").await.body,
        expected,
        "CYB-9: an expired token"
    );
    let all = platform.organization().await;
    assert_eq!(
        organization_snapshot(&platform, &all, seed_organization(&platform)).await,
        before
    );
}

/// No authorization header, and those that hold no token as it was issued.
fn wrong_headers(token: &str, key: &Credentials) -> Vec<Option<String>> {
    let tampered = format!(
        "{}A{}",
        &token[..token.len() - 2],
        &token[token.len() - 1..]
    );
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    let basic = {
        use base64::{Engine, engine::general_purpose::STANDARD};
        format!(
            "Basic {}",
            STANDARD.encode(format!("{}:{}", key.client_id, key.client_secret))
        )
    };
    vec![
        None,
        Some(String::new()),
        Some("Bearer".into()),
        Some("Bearer garbage".into()),
        Some("Bearer a.b.c".into()),
        Some(token.to_owned()),
        Some(format!("Token {token}")),
        Some(basic),
        Some(format!("Bearer {}", key.client_secret)),
        Some(format!("Bearer {token} {token}")),
        Some(format!("Bearer {token}, Bearer {token}")),
        Some(format!("Bearer {unsigned}.")),
        Some(format!("Bearer {tampered}")),
    ]
}

/// HEAD has no route and no authorizer of its own: the function itself decides as the authorizer
/// would.
#[tokio::test]
async fn head_is_guarded_as_get_is() {
    let platform = Platform::start().await;
    let (_, foreign_key, foreign_bank, _) = platform.neighbour().await;
    let ours = platform.organization().await;
    let revoked = platform.bank_key(json!({})).await;
    let revoked_caller = platform.bearer(&platform.token(&revoked).await);
    let bound = platform
        .bank_key(json!({"ip_allowlist": ["8.8.8.8"]}))
        .await;
    let bound = platform
        .request_token(&bound, platform.anonymous().from("8.8.8.8"))
        .await;
    let bound = platform.bearer(bound.body["access_token"].as_str().unwrap());
    let head = async |caller: &Caller, path: &str| {
        let answer = Answer::of(caller.request(Method::HEAD, path)).await;
        assert_eq!(answer.text, "", "{answer:?}");
        answer.status
    };
    let bank = format!("/api/banks/{}", platform.seed.bank.guid);
    assert_eq!(head(&ours, &bank).await, 200);
    assert_eq!(
        head(&ours, &format!("/api/banks/{foreign_bank}")).await,
        404
    );
    assert_eq!(
        head(
            &ours,
            &format!("/api/organization_applications/{}", foreign_key.client_id)
        )
        .await,
        404
    );
    assert_eq!(head(&platform.anonymous(), &bank).await, 401);
    assert_eq!(head(&platform.bearer("garbage"), &bank).await, 401);
    assert_eq!(
        head(&platform.bank().await, "/api/organizations").await,
        403
    );
    assert_eq!(head(&bound.from("8.8.8.8"), &bank).await, 200);
    assert_eq!(head(&bound.from("9.9.9.9"), &bank).await, 403);
    assert_eq!(head(&revoked_caller, &bank).await, 200);
    assert_eq!(
        ours.delete(&format!("/api/bank_applications/{}", revoked.client_id))
            .await
            .status,
        204
    );
    platform.advance(std::time::Duration::from_secs(5));
    assert_eq!(head(&revoked_caller, &bank).await, 401);
}
