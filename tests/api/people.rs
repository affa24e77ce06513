//! People with personal keys of their own, and how soon a change takes effect for them.

use domain::{ids::Guid, key_mode::KeyMode, role::Role, scope::ScopeSet};
use reqwest::Method;
use serde_json::Value;
use tests::{Answer, Caller, Platform};

use crate::{
    five_second_bound::within, management_keys::seed_organization, organization_snapshot::text,
};

/// Somebody who calls by a personal key.
pub struct Person {
    pub guid: String,
    pub client_id: String,
    pub caller: Caller,
}

impl Person {
    /// Somebody of the seed organization with a sandbox key.
    pub async fn new(platform: &Platform, role: Role) -> Self {
        Self::of(
            platform,
            seed_organization(platform),
            role,
            KeyMode::Sandbox,
        )
        .await
    }

    /// Somebody of an organization, with a key of this kind.
    pub async fn of(platform: &Platform, organization: Guid, role: Role, kind: KeyMode) -> Self {
        Self::made(platform, organization, role, None, kind).await
    }

    /// Somebody of the seed organization whose role is narrowed to these scopes, with a sandbox
    /// key.
    pub async fn narrowed(platform: &Platform, role: Role, scopes: &str) -> Self {
        Self::made(
            platform,
            seed_organization(platform),
            role,
            Some(scopes.parse().unwrap()),
            KeyMode::Sandbox,
        )
        .await
    }

    async fn made(
        platform: &Platform,
        organization: Guid,
        role: Role,
        scopes: Option<ScopeSet>,
        kind: KeyMode,
    ) -> Self {
        let operator = platform.operator();
        let email = format!(
            "{role}-{}@example.com",
            platform.stack.services().ambient().entropy.guid()
        );
        let user = operator
            .user(organization, &email, role, scopes)
            .await
            .unwrap();
        let key = operator
            .personal_key(&user, kind, "personal")
            .await
            .unwrap();
        let caller = platform.bearer(&key.client_secret);
        Self {
            guid: user.guid.to_string(),
            client_id: key.client_id,
            caller,
        }
    }

    /// Their path.
    pub fn path(&self) -> String {
        format!("/api/users/{}", self.guid)
    }
}

/// POST of JSON under an `Idempotency-Key`.
pub async fn post_once(caller: &Caller, path: &str, key: &str, body: &Value) -> Answer {
    Answer::of(
        caller
            .request(Method::POST, path)
            .header("idempotency-key", key)
            .json(body),
    )
    .await
}

/// Asserts that a call is answered so within five seconds from now on, and from then on.
pub async fn felt(what: &str, ask: impl AsyncFn() -> Answer, expected: (u16, &str)) {
    let seen = |answer: &Answer| {
        (
            answer.status,
            answer.body["message_code"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    let expected = (expected.0, expected.1.to_owned());
    within(what, &ask, |answer| seen(answer) == expected).await;
    for _ in 0..3 {
        let answer = ask().await;
        assert_eq!(seen(&answer), expected, "{what}, and then not: {answer:?}");
    }
}

/// The audit events of an organization with this action, in order.
pub async fn events(platform: &Platform, organization: Guid, action: &str) -> Vec<Value> {
    let chain = platform
        .stack
        .services()
        .store()
        .unwrap()
        .audit_chain(organization)
        .await
        .unwrap();
    let events = chain
        .events
        .values()
        .map(|body| serde_json::from_str::<Value>(body).unwrap());
    let mut events: Vec<_> = events.filter(|event| event["action"] == action).collect();
    events.sort_by_key(|event| text(event, "at"));
    events
}
