//! `/api/bank_applications` and `/api/organization_applications`: what holds for both families of
//! keys (CYB-3).

mod allowlists;

use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use crate::{
    management_keys::seed_organization,
    organization_snapshot::{column, organization_snapshot, text, without},
};

/// A family of keys: its path, and what else a creation by the organization's key must name.
pub struct Family {
    pub path: &'static str,
    pub required: Value,
}

impl Family {
    /// Both, for the seed organization.
    pub fn both(platform: &Platform) -> [Self; 2] {
        [
            Self {
                path: "/api/bank_applications",
                required: json!({"bank_guid": platform.seed.bank.guid}),
            },
            Self {
                path: "/api/organization_applications",
                required: json!({}),
            },
        ]
    }

    /// Whose its keys are, as `/api/keys` says it.
    pub fn owner(&self, platform: &Platform) -> Value {
        match self.required.get("bank_guid") {
            Some(bank) => json!({"type": "bank", "guid": bank}),
            None => json!({"type": "organization", "guid": platform.seed.organization.guid}),
        }
    }

    /// What creates a key with these members.
    pub fn body(&self, members: &Value) -> Value {
        let mut body = self.required.clone();
        body.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        body
    }

    /// Asks for a key with these members.
    pub async fn post(&self, caller: &Caller, members: Value) -> Answer {
        caller.post(self.path, &self.body(&members)).await
    }

    /// Makes a key with these members and gives the answer's body.
    pub async fn create(&self, caller: &Caller, members: Value) -> Value {
        let answer = self.post(caller, members).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body
    }

    /// The path of the key in this body, by its `client_id`.
    pub fn item(&self, key: &Value) -> String {
        format!("{}/{}", self.path, text(key, "client_id"))
    }
}

#[tokio::test]
async fn cyb_3_a_key_from_201_to_204_by_either_spelling() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let caller = platform.organization().await;
    for family in Family::both(&platform) {
        for spelling in ["client_id", "guid"] {
            let created = family
                .post(
                    &caller,
                    json!({
                        "name": "web-checkout prod",
                        "scopes": ["banks:read", "accounts:read"],
                        "ip_allowlist": ["8.8.8.8", "1.1.1.0/24"],
                        "expires_at": "2099-01-01T02:00:00+02:00",
                    }),
                )
                .await;
            assert_eq!(created.status, 201, "{created:?}");
            assert_eq!(created.header("content-type"), "application/json");
            assert_eq!(
                created.header("cache-control"),
                "no-store",
                "CYB-2: nobody keeps the secret on the way"
            );
            let key = &created.body;
            assert_is_new_key(key, &platform);
            let shown = without(key, &["secret"]);
            assert_eq!(
                without(&shown, &["guid", "client_id", "created_at", "updated_at"]),
                json!({
                    "name": "web-checkout prod",
                    "scopes": ["accounts:read", "banks:read"],
                    "ip_allowlist": ["8.8.8.8", "1.1.1.0/24"],
                    "expires_at": "2099-01-01T00:00:00.000Z",
                })
            );

            let item = format!("{}/{}", family.path, text(key, spelling));
            let mut later = vec![caller.get(&item).await];
            assert_eq!((later[0].status, &later[0].body), (200, &shown));
            later.push(caller.get(&format!("{}?per_page=100", family.path)).await);
            assert!(
                later[1].body["objects"]
                    .as_array()
                    .unwrap()
                    .contains(&shown),
                "{:?}",
                later[1]
            );
            later.extend(patched(&platform, &caller, &item, &shown).await);
            later.extend(deleted(&caller, &family, &item, &text(key, "client_id")).await);

            let secret = text(key, "secret");
            let random = &secret[secret.len() - 49..];
            for answer in later {
                assert!(
                    !answer.text.contains(random)
                        && !format!("{:?}", answer.headers).contains(random),
                    "CYB-2: {answer:?}"
                );
                assert!(answer.body.get("secret").is_none(), "{answer:?}");
            }
        }
    }
}

fn assert_is_new_key(key: &Value, platform: &Platform) {
    let matches = |member: &str, pattern: &str| {
        assert!(
            Regex::new(&format!("^(?:{pattern})$"))
                .unwrap()
                .is_match(&text(key, member)),
            "{member} of {key}"
        );
    };
    matches("guid", "[0-9a-f]{32}");
    matches("client_id", "[0-9A-Za-z]{22}");
    matches(
        "secret",
        &format!("lk_test_{}[0-9A-Za-z]{{49}}", text(key, "client_id")),
    );
    matches("created_at", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z");
    assert_eq!(key["created_at"], key["updated_at"]);
    assert_eq!(
        text(key, "created_at"),
        (platform.stack.services().ambient().clock)().to_string()
    );
}

/// PATCH: what is left out stays, `[]` clears, `null` is neither.
async fn patched(platform: &Platform, caller: &Caller, item: &str, before: &Value) -> Vec<Answer> {
    platform.advance(Duration::from_secs(2));
    let nothing = caller.patch(item, &json!({})).await;
    assert_eq!(
        (nothing.status, &nothing.body),
        (200, before),
        "what changes nothing is no update"
    );
    let renamed = caller.patch(item, &json!({"name": "renamed"})).await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    assert!(text(&renamed.body, "updated_at") > text(before, "updated_at"));
    let mut expected = before.clone();
    expected["name"] = json!("renamed");
    expected["updated_at"] = renamed.body["updated_at"].clone();
    assert_eq!(renamed.body, expected);
    for member in ["name", "ip_allowlist"] {
        let answer = caller.patch(item, &json!({member: null})).await;
        answer.assert_field(member, "must be");
    }
    for fixed in [
        "scopes",
        "expires_at",
        "guid",
        "client_id",
        "secret",
        "state",
        "environment",
        "created_at",
    ] {
        let answer = caller
            .patch(item, &json!({"name": "again", fixed: null}))
            .await;
        answer.assert_field(fixed, "is not a member that this takes");
    }
    assert_eq!(
        caller.get(item).await.body,
        expected,
        "refusals changed nothing"
    );
    platform.advance(Duration::from_secs(2));
    let cleared = caller.patch(item, &json!({"ip_allowlist": []})).await;
    assert_eq!(cleared.status, 200, "{cleared:?}");
    expected["ip_allowlist"] = json!([]);
    expected["updated_at"] = cleared.body["updated_at"].clone();
    assert_eq!(cleared.body, expected);
    let set = caller
        .patch(item, &json!({"name": "both", "ip_allowlist": ["9.9.9.9"]}))
        .await;
    assert_eq!(
        (set.status, &set.body["name"], &set.body["ip_allowlist"]),
        (200, &json!("both"), &json!(["9.9.9.9"]))
    );
    assert_eq!(caller.get(item).await.body, set.body);
    vec![nothing, renamed, cleared, set]
}

/// DELETE: 204 however often; then the key is a 404 and gone from the list.
async fn deleted(caller: &Caller, family: &Family, item: &str, client_id: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..2 {
        let answer = caller.delete(item).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (204, ""),
            "{answer:?}"
        );
        answers.push(answer);
    }
    let list = caller.get(&format!("{}?per_page=100", family.path)).await;
    assert!(
        !column(&list, "client_id").contains(&client_id.to_owned()),
        "{list:?}"
    );
    for gone in [
        caller.get(item).await,
        caller.patch(item, &json!({"name": "undead"})).await,
    ] {
        gone.assert_error(404, "not_found");
        answers.push(gone);
    }
    answers.push(list);
    answers
}

#[tokio::test]
async fn cyb_3_201_with_the_name_alone() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let caller = platform.organization().await;
    for family in Family::both(&platform) {
        let bare = family.create(&caller, json!({"name": "bare"})).await;
        let nulls =
            json!({"name": "bare", "scopes": null, "ip_allowlist": null, "expires_at": null});
        let nulls = family.create(&caller, nulls).await;
        for key in [bare, nulls] {
            assert_is_new_key(&key, &platform);
            assert_eq!(
                (&key["expires_at"], &key["ip_allowlist"]),
                (&Value::Null, &json!([])),
                "{key}"
            );
            let members: Vec<_> = key
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            let expected = [
                "client_id",
                "created_at",
                "expires_at",
                "guid",
                "ip_allowlist",
                "name",
                "scopes",
                "secret",
                "updated_at",
            ];
            assert_eq!(members, expected);
        }
    }
}

#[tokio::test]
async fn cyb_3_pages_have_exact_totals_in_order_of_creation() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    for family in Family::both(&platform) {
        let mut expected = column(&caller.get(family.path).await, "client_id");
        let mut items = Vec::new();
        for number in 0..12 {
            platform.advance(Duration::from_millis(1));
            let key = family
                .create(&caller, json!({"name": format!("key {number}")}))
                .await;
            expected.push(text(&key, "client_id"));
            items.push(family.item(&key));
        }
        let page =
            async |query: &str, total: usize, page: usize, per_page: usize, part: &[String]| {
                let list = caller.get(&format!("{}{query}", family.path)).await;
                assert_eq!(column(&list, "client_id"), part, "{query}");
                let envelope = json!({"total": total, "page": page, "per_page": per_page});
                assert_eq!(without(&list.body, &["objects"]), envelope, "{query}");
            };
        page("", 13, 0, 10, &expected[..10]).await;
        page("?page=1", 13, 1, 10, &expected[10..]).await;
        page("?page=2", 13, 2, 10, &[]).await;
        page("?page=2&per_page=5", 13, 2, 5, &expected[10..]).await;
        page("?per_page=1&page=12", 13, 12, 1, &expected[12..]).await;
        page("?per_page=13", 13, 0, 13, &expected).await;
        page("?page=0&per_page=100", 13, 0, 100, &expected).await;
        page("?page=1000000&per_page=100", 13, 1_000_000, 100, &[]).await;
        // The revoked are gone and not counted; a page is of what is left.
        for index in [11, 0] {
            assert_eq!(caller.delete(&items[index]).await.status, 204);
            expected.remove(index + 1);
        }
        page("", 11, 0, 10, &expected[..10]).await;
        page("?page=1", 11, 1, 10, &expected[10..]).await;
    }
}

#[tokio::test]
async fn cyb_3_422_for_names_and_ends_that_are_none() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let caller = platform.organization().await;
    for family in Family::both(&platform) {
        for name in [
            "x".to_owned(),
            "é".repeat(128),
            "\u{1F511}".repeat(128),
            " a \"quoted\\name\" <b>".to_owned(),
        ] {
            let key = family.create(&caller, json!({"name": name})).await;
            assert_eq!(key["name"], json!(name));
            let answer = caller
                .patch(&family.item(&key), &json!({"name": name}))
                .await;
            assert_eq!((answer.status, &answer.body["name"]), (200, &json!(name)));
        }
        let key = family.create(&caller, json!({"name": "kept"})).await;
        let item = family.item(&key);
        let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
        for name in [
            String::new(),
            "x".repeat(129),
            "é".repeat(129),
            "  ".into(),
            "a\nb".into(),
            "\u{0}".into(),
            "\u{7f}".into(),
        ] {
            let body = json!({"name": name});
            family
                .post(&caller, body.clone())
                .await
                .assert_field("name", "must have");
            caller
                .patch(&item, &body)
                .await
                .assert_field("name", "must have");
        }
        family
            .post(&caller, json!({}))
            .await
            .assert_field("name", "is required");
        let now = (platform.stack.services().ambient().clock)().to_string();
        for (end, words) in [
            ("2020-01-01T00:00:00Z", "is not in the future"),
            (now.as_str(), "is not in the future"),
            ("tomorrow", "RFC 3339"),
            ("", "RFC 3339"),
            ("2099-01-01", "RFC 3339"),
            ("2099-01-01T00:00:00", "RFC 3339"),
            ("2099-02-30T00:00:00Z", "RFC 3339"),
            ("1900-01-01T00:00:00Z", "RFC 3339"),
            ("+12099-01-01T00:00:00Z", "RFC 3339"),
        ] {
            family
                .post(&caller, json!({"name": "n", "expires_at": end}))
                .await
                .assert_field("expires_at", words);
        }
        family
            .post(
                &caller,
                json!({"name": "n", "expires_at": 4_070_908_800_u32}),
            )
            .await
            .assert_field("expires_at", "must be a string");
        let all = family
            .post(
                &caller,
                json!({"name": "", "ip_allowlist": ["::1"], "expires_at": "never"}),
            )
            .await;
        for field in ["name", "ip_allowlist[0]", "expires_at"] {
            all.assert_field(field, "");
        }
        assert_eq!(
            organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
            before
        );
    }
}

/// A key past its end is still there to be seen and revoked.
#[tokio::test]
async fn cyb_3_200_for_a_key_past_its_end() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let end = ((platform.stack.services().ambient().clock)() + Duration::from_mins(10)).to_string();
    let caller = platform.organization().await;
    for family in Family::both(&platform) {
        let key = family
            .create(&caller, json!({"name": "short", "expires_at": end}))
            .await;
        assert_eq!(key["expires_at"], json!(end));
    }
    platform.advance(Duration::from_secs(601));
    for family in Family::both(&platform) {
        let list = caller.get(family.path).await;
        let key = list.body["objects"].as_array().unwrap().last().unwrap();
        assert_eq!(key["expires_at"], json!(end));
        assert_eq!(caller.get(&family.item(key)).await.body, *key);
        assert_eq!(caller.delete(&family.item(key)).await.status, 204);
    }
}
