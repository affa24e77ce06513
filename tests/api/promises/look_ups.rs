//! A look-up says what the feed would have said (CBM-4): whatever is changed by whichever
//! operation of the API, what works and what does not is the same in an organization that is
//! covered as in one that is not.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    gate::{Kyb, Plan},
    ids::Guid,
    key_mode::KeyMode,
    role::Role,
};
use operator::tenants::Credentials;
use proptest::{
    prelude::{Just, Strategy},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform, platform::credentials};

use crate::{
    feed_items::{feed_entries, spend_budget},
    people::Person,
    routes::customer_tokens::CUSTOMER,
};

/// Every operation of the API that is no read, with the steps that call it. A step that takes
/// something is followed by the one that gives it back, if there is one.
const STEPS: [(&str, &[&str]); 29] = [
    ("create_bank_application", &["create"]),
    ("delete_bank_application", &["delete"]),
    ("update_bank_application", &["rename"]),
    ("create_bank", &["create"]),
    ("update_bank", &["update"]),
    ("create_customer_token", &["issue"]),
    ("revoke_incident", &["a key", "an owner"]),
    ("create_key", &["create"]),
    ("delete_key", &["delete"]),
    ("update_key", &["let it end"]),
    ("deactivate_key", &["a machine's", "a person's"]),
    ("restore_key", &["a machine's", "a person's"]),
    ("finish_rotation", &["finish"]),
    ("revoke_key", &["revoke"]),
    ("rotate_key", &["with a grace", "at once", "replace"]),
    ("create_organization_application", &["create"]),
    ("delete_organization_application", &["delete"]),
    ("update_organization_application", &["rename"]),
    ("create_organization", &["create"]),
    ("update_organization", &["update"]),
    ("decide_kyb", &["reject", "approve"]),
    ("change_plan", &["starter", "pro"]),
    ("create_user", &["create"]),
    ("disable_user", &["disable"]),
    ("update_user", &["demote"]),
    ("introspect", &["introspect"]),
    ("revoke_token", &["of a key", "of a customer"]),
    ("create_token", &["issue"]),
    ("exchange_secret", &["issue"]),
];

/// The machine keys of an organization: one for most steps, one that no step ends, and one for each
/// step that ends its key for good.
const KEYS: [&str; 13] = [
    "main",
    "asking organization",
    "delete_bank_application",
    "update_bank_application",
    "revoke_incident",
    "delete_key",
    "update_key",
    "revoke_key",
    "replaced",
    "rotated at once",
    "delete_organization_application",
    "update_organization_application",
    "live",
];

/// An organization, and everything that is presented in it.
struct Organization<'a> {
    platform: &'a Platform,
    guid: Guid,
    bank: Guid,
    owner: Person,
    admin: Person,
    developer: Person,
    keys: Vec<(&'static str, Credentials)>,
    presented: Vec<(String, Caller)>,
}

impl<'a> Organization<'a> {
    async fn new(platform: &'a Platform) -> Self {
        let (guid, _, bank, main) = platform.neighbour().await;
        let operator = platform.operator();
        operator.plan(guid, Plan::Pro).await.unwrap();
        operator.kyb(guid, Kyb::Approved).await.unwrap();
        let person = |role| Person::of(platform, guid, role, KeyMode::Sandbox);
        let mut organization = Self {
            platform,
            guid,
            bank,
            owner: person(Role::Owner).await,
            admin: person(Role::Admin).await,
            developer: person(Role::Developer).await,
            keys: vec![("main", main)],
            presented: Vec::new(),
        };
        for name in &KEYS[1..] {
            let key = if *name == "live" {
                let live = operator.organization_key(guid, KeyMode::Live).await;
                live.unwrap()
            } else {
                let answer = organization.create(name).await;
                assert_eq!(answer.status, 201, "{answer:?}");
                credentials(&answer.body)
            };
            organization.keys.push((name, key));
        }
        for name in KEYS {
            organization.issue(name, "/oauth/token").await;
        }
        for _ in 0..2 {
            organization.issue_to_customer().await;
        }
        let people = [
            ("owner", organization.owner.caller.clone()),
            ("admin", organization.admin.caller.clone()),
            ("developer", organization.developer.caller.clone()),
        ];
        let people = people.map(|(name, caller)| (name.to_owned(), caller));
        organization.presented.extend(people);
        organization
    }

    fn key(&self, name: &str) -> &Credentials {
        let found = self.keys.iter().find(|(key, _)| *key == name);
        &found.unwrap_or_else(|| panic!("no key {name}")).1
    }

    /// Asks for a key by the published route, of the bank or of the organization.
    async fn create(&self, name: &str) -> Answer {
        if name.contains("organization") {
            let body = json!({"name": name});
            let path = "/api/organization_applications";
            return self.owner.caller.post(path, &body).await;
        }
        let body = json!({"name": name, "bank_guid": self.bank});
        self.owner
            .caller
            .post("/api/bank_applications", &body)
            .await
    }

    /// Asks for a token, and presents it from then on.
    async fn issue(&mut self, name: &str, path: &str) -> Answer {
        let key = self.key(name);
        let mut body = json!({
            "client_id": key.client_id,
            "client_secret": key.client_secret,
        });
        if path == "/oauth/token" {
            body["grant_type"] = "client_credentials".into();
        }
        let answer = self.platform.anonymous().post(path, &body).await;
        self.present(name, &answer);
        answer
    }

    async fn issue_to_customer(&mut self) -> Answer {
        let body = json!({"customer_guid": CUSTOMER, "scopes": ["accounts:read"]});
        let main = self.presented("main").clone();
        let answer = main.post("/api/customer_tokens", &body).await;
        self.present("customer", &answer);
        answer
    }

    fn present(&mut self, name: &str, answer: &Answer) {
        if let Some(token) = answer.body["access_token"].as_str() {
            let caller = self.platform.bearer(token);
            self.presented.push((name.to_owned(), caller));
        }
    }

    /// The newest of this name.
    fn presented(&self, name: &str) -> &Caller {
        let found = self.presented.iter().rfind(|(key, _)| key == name);
        &found.unwrap_or_else(|| panic!("nothing of {name}")).1
    }

    /// Takes a step as whoever may.
    async fn take(&mut self, operation: &str, step: &str) -> Answer {
        match operation {
            "create_customer_token" => self.issue_to_customer().await,
            "introspect" => self.ask("/oauth/introspect", "main").await,
            "revoke_token" if step == "of a customer" => {
                self.ask("/oauth/revoke", "customer").await
            }
            "revoke_token" => self.ask("/oauth/revoke", "main").await,
            "create_token" => self.issue("main", "/oauth/token").await,
            "exchange_secret" => self.issue("main", "/v1/auth/token").await,
            "rotate_key" => self.rotate(step).await,
            _ if operation.contains("application") => self.change_application(operation).await,
            _ if operation.contains("key") || operation == "finish_rotation" => {
                self.change_key(operation, step).await
            }
            _ => self.change_organization(operation, step).await,
        }
    }

    async fn change_application(&self, operation: &str) -> Answer {
        let owner = &self.owner.caller;
        if operation.starts_with("create") {
            return self.create(operation).await;
        }
        let kind = if operation.contains("bank") {
            "bank"
        } else {
            "organization"
        };
        let path = format!("/api/{kind}_applications/{}", self.key(operation).client_id);
        if operation.starts_with("delete") {
            return owner.delete(&path).await;
        }
        owner.patch(&path, &json!({"name": "renamed"})).await
    }

    async fn change_key(&self, operation: &str, step: &str) -> Answer {
        let owner = &self.owner.caller;
        let of = |name: &str, verb: &str| format!("/api/keys/{}{verb}", self.key(name).client_id);
        match (operation, step) {
            ("create_key", _) => {
                let body = json!({"name": "made", "owner": {"type": "bank", "guid": self.bank}});
                owner.post("/api/keys", &body).await
            }
            ("delete_key", _) => owner.delete(&of(operation, "")).await,
            ("update_key", _) => {
                let now = (self.platform.stack.services().ambient().clock)();
                let end = (now + Duration::from_secs(7)).to_string();
                owner
                    .patch(&of(operation, ""), &json!({"expires_at": end}))
                    .await
            }
            ("deactivate_key", "a machine's") => post(owner, &of("main", "/deactivate")).await,
            ("restore_key", "a machine's") => post(owner, &of("main", "/restore")).await,
            ("deactivate_key" | "restore_key", _) => {
                let verb = operation.trim_end_matches("_key");
                let path = format!("/api/keys/{}/{verb}", self.developer.client_id);
                post(owner, &path).await
            }
            ("finish_rotation", _) => post(owner, &of("main", "/finish_rotation")).await,
            ("revoke_key", _) => post(owner, &of(operation, "/revoke")).await,
            other => panic!("no such step: {other:?}"),
        }
    }

    async fn rotate(&mut self, step: &str) -> Answer {
        let owner = self.owner.caller.clone();
        let of = |name: &str| format!("/api/keys/{}/rotate", self.key(name).client_id);
        match step {
            "with a grace" => {
                let body = json!({"grace_period": 30});
                let answer = owner.post(&of("main"), &body).await;
                self.rotated("main", &answer);
                answer
            }
            "at once" => {
                let body = json!({"grace_period": 0});
                let answer = owner.post(&of("rotated at once"), &body).await;
                self.rotated("rotated at once", &answer);
                answer
            }
            _ => {
                let path = of("replaced");
                let first = json!({"grace_period": 30});
                let first = owner.post(&path, &first).await;
                self.rotated("replaced", &first);
                self.issue("replaced", "/oauth/token").await;
                let second = json!({"replace": true});
                let second = owner.post(&path, &second).await;
                self.rotated("replaced", &second);
                second
            }
        }
    }

    async fn change_organization(&self, operation: &str, step: &str) -> Answer {
        let (owner, staff) = (&self.owner.caller, self.platform.operations());
        let organization = format!("/api/organizations/{}", self.guid);
        match (operation, step) {
            ("create_bank", _) => {
                let body = json!({"name": "another", "environment": "sandbox"});
                owner.post("/api/banks", &body).await
            }
            ("update_bank", _) => {
                let path = format!("/api/banks/{}", self.bank);
                owner.patch(&path, &json!({"name": "renamed"})).await
            }
            ("revoke_incident", "a key") => {
                let keys = [&self.key(operation).client_id];
                let order = json!({"reason": "leaked", "keys": keys});
                owner.post("/api/incidents/revoke", &order).await
            }
            ("revoke_incident", _) => {
                let order = json!({"reason": "leaked", "user_guid": self.admin.guid});
                owner.post("/api/incidents/revoke", &order).await
            }
            ("create_organization", _) => {
                staff
                    .post("/api/organizations", &json!({"name": "other"}))
                    .await
            }
            ("update_organization", _) => {
                owner
                    .patch(&organization, &json!({"name": "renamed"}))
                    .await
            }
            ("decide_kyb", decision) => {
                let status = if decision == "reject" {
                    "rejected"
                } else {
                    "approved"
                };
                let path = format!("{organization}/kyb");
                staff.put(&path, &json!({"status": status})).await
            }
            ("change_plan", plan) => {
                let path = format!("{organization}/plan");
                staff.put(&path, &json!({"plan": plan})).await
            }
            ("create_user", _) => {
                let email = format!("made@{}.example", self.guid);
                let body = json!({"email": email, "role": Role::Viewer});
                owner.post("/api/users", &body).await
            }
            ("disable_user", _) => owner.delete(&self.developer.path()).await,
            ("update_user", _) => {
                let body = json!({"role": Role::Viewer});
                owner.patch(&self.admin.path(), &body).await
            }
            other => panic!("no such step: {other:?}"),
        }
    }

    fn rotated(&mut self, name: &str, answer: &Answer) {
        if answer.status == 200 {
            let found = self.keys.iter_mut().find(|(key, _)| *key == name);
            found.unwrap().1 = credentials(&answer.body);
        }
    }

    /// Asks about a token as the key that it is of, or was derived from.
    async fn ask(&self, path: &str, name: &str) -> Answer {
        let key = self.key("main");
        let body = json!({
            "client_id": key.client_id,
            "client_secret": key.client_secret,
            "token": self.presented(name).token(),
        });
        self.platform.anonymous().post(path, &body).await
    }

    /// What becomes of everything that is presented: at the sample API, and at an introspection.
    async fn decisions(&self) -> Vec<(String, u16, Value)> {
        let mut decisions = Vec::new();
        for (name, caller) in &self.presented {
            let answer = caller.get("/v1/whoami").await;
            assert!(
                [200, 401, 403].contains(&answer.status),
                "{name}: {answer:?}"
            );
            let seen = self.introspected(caller).await;
            decisions.push((name.clone(), answer.status, seen));
        }
        decisions
    }

    /// By a key that no step ends. A guarded API asks about what others present.
    async fn introspected(&self, caller: &Caller) -> Value {
        let asking = self.key("asking organization");
        let body = json!({
            "client_id": asking.client_id,
            "client_secret": asking.client_secret,
            "token": caller.token(),
        });
        let anonymous = self.platform.anonymous();
        let answer = anonymous.post("/oauth/introspect", &body).await;
        answer.body["active"].clone()
    }
}

async fn post(caller: &Caller, path: &str) -> Answer {
    caller.post(path, &json!({})).await
}

/// Steps of staff: they always write entries.
const BY_STAFF: [&str; 3] = ["create_organization", "decide_kyb", "change_plan"];

#[tokio::test]
async fn cbm_4_a_look_up_says_what_the_feed_says_after_every_operation() {
    let steps: Vec<(&str, &str)> = STEPS
        .iter()
        .flat_map(|(operation, steps)| steps.iter().map(move |step| (*operation, *step)))
        .collect();
    // Once as they stand, and once in another order.
    let mut runner = TestRunner::deterministic();
    let shuffled = Just(steps.clone()).prop_shuffle();
    let shuffled = shuffled.new_tree(&mut runner).unwrap().current();
    let (mut succeeded, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for sequence in [steps, shuffled] {
        let platform = Platform::start().await;
        platform.stop_clock();
        let mut uncovered = Organization::new(&platform).await;
        let mut covered = Organization::new(&platform).await;
        spend_budget(&platform, covered.guid, 10).await.unwrap();
        // The first change writes the cover.
        let first = covered.ask("/oauth/revoke", "customer").await;
        assert_eq!(first.status, 200, "{first:?}");
        uncovered.ask("/oauth/revoke", "customer").await;
        let mut taken = Vec::new();
        for (operation, step) in sequence {
            taken.push((operation, step));
            let expected = uncovered.take(operation, step).await;
            let before = feed_entries(&platform).await.unwrap();
            let answer = covered.take(operation, step).await;
            assert_eq!(answer.status, expected.status, "{taken:?} {answer:?}");
            if !BY_STAFF.contains(&operation) {
                let after = feed_entries(&platform).await.unwrap();
                assert_eq!(after, before, "{taken:?}");
            }
            if answer.status < 300 {
                succeeded.insert((operation, step));
            }
            platform.advance(Duration::from_secs(5));
            let by_feed = uncovered.decisions().await;
            let by_look_up = covered.decisions().await;
            assert_eq!(by_look_up, by_feed, "{taken:?}");
            let invalid = by_feed.into_iter().filter(|(_, status, _)| *status == 401);
            refused.extend(invalid.map(|(name, ..)| name));
        }
    }
    let all: usize = STEPS.iter().map(|(_, steps)| steps.len()).sum();
    assert_eq!(
        succeeded.len(),
        all,
        "each step was possible in some order: {succeeded:#?}"
    );
    let spared = |name: &&str| {
        [
            "asking organization",
            "update_bank_application",
            "update_organization_application",
        ]
        .contains(name)
    };
    let people = ["customer", "admin", "developer"];
    let expected: BTreeSet<&str> = KEYS
        .into_iter()
        .filter(|name| !spared(name))
        .chain(people)
        .collect();
    let refused: BTreeSet<&str> = refused.iter().map(String::as_str).collect();
    assert!(
        refused.is_superset(&expected),
        "each kind of end was seen: {refused:?}"
    );
}

/// The published document has no other operation that is no read.
#[tokio::test]
async fn the_steps_are_every_operation_of_the_document() {
    let document: Value =
        serde_json::from_str(include_str!("../../../infra/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations: BTreeSet<&str> = paths
        .values()
        .flat_map(|path| path.as_object().unwrap())
        .filter(|(method, _)| *method != "get")
        .filter_map(|(_, operation)| operation["operationId"].as_str())
        .collect();
    assert_eq!(
        operations,
        STEPS.iter().map(|(operation, _)| *operation).collect()
    );
}
