//! `/api/bank_applications`: whose keys they are (CYB-4).

mod delegation;

use std::time::Duration;

use domain::{
    gate::Kyb,
    key::Owner,
    key_mode::{BankEnvironment, KeyMode},
    scope::{Catalogue, Holder},
};
use serde_json::{Value, json};
use tests::{Caller, Platform, platform::credentials};

use crate::{
    management_keys::{guid, seed_bank_key, seed_organization, seed_organization_key},
    organization_snapshot::{appearance, column, organization_snapshot, text},
};

const PATH: &str = "/api/bank_applications";

async fn create(caller: &Caller, body: Value) -> Value {
    let answer = caller.post(PATH, &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body
}

/// Asserts that whatever the caller does to a key is answered with the 404 of nothing.
async fn assert_hidden(caller: &Caller, path: &str, hidden: &str) {
    let nothing = appearance(&caller.get(&format!("{path}/{}", "0".repeat(32))).await);
    assert_eq!(nothing.0, 404);
    let item = format!("{path}/{hidden}");
    for answer in [
        caller.get(&item).await,
        caller.patch(&item, &json!({"name": "mine now"})).await,
        caller.delete(&item).await,
        caller
            .post(&format!("/api/keys/{hidden}/revoke"), &json!({}))
            .await,
    ] {
        assert_eq!(appearance(&answer), nothing, "{hidden}");
    }
}

#[tokio::test]
async fn cyb_4_422_unless_an_organization_names_a_bank_of_its_own() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let organization = seed_organization(&platform);
    let (foreign_organization, _, foreign_bank, _) = platform.neighbour().await;
    let (production, _) = platform
        .operator()
        .bank(organization, "Production", BankEnvironment::Production)
        .await
        .unwrap();
    let key = create(
        &caller,
        json!({"name": "key", "bank_guid": platform.seed.bank.guid}),
    )
    .await;
    let before = organization_snapshot(&platform, &caller, organization).await;
    for body in [
        json!({"name": "k"}),
        json!({"name": "k", "bank_guid": null}),
    ] {
        caller
            .post(PATH, &body)
            .await
            .assert_field("bank_guid", "is required");
    }
    caller
        .post(PATH, &json!({"name": "k", "bank_guid": 7}))
        .await
        .assert_field("bank_guid", "must be a string");
    let refusal = async |bank_guid: &str| {
        caller
            .post(PATH, &json!({"name": "k", "bank_guid": bank_guid}))
            .await
    };
    let nothing = refusal("nonsense").await;
    nothing.assert_field("bank_guid", "names no sandbox bank of this organization");
    for other in [
        "",
        &"0".repeat(32),
        &platform.seed.bank.guid.to_uppercase(),
        &platform.seed.organization.guid,
        &text(&key, "guid"),
        &foreign_bank.to_string(),
        &foreign_organization.to_string(),
        &production.to_string(),
    ] {
        assert_eq!(
            appearance(&refusal(other).await),
            appearance(&nothing),
            "{other:?}"
        );
    }
    let item = format!("{PATH}/{}", text(&key, "client_id"));
    let moved = caller
        .patch(
            &item,
            &json!({"name": "moved", "bank_guid": platform.seed.bank.guid}),
        )
        .await;
    moved.assert_field("bank_guid", "cannot be changed");
    assert_eq!(
        organization_snapshot(&platform, &caller, organization).await,
        before
    );
}

/// A bank's token: its bank decides, whatever it names.
#[tokio::test]
async fn cyb_4_a_bank_token_has_its_own_bank_whatever_it_names() {
    let platform = Platform::start().await;
    let all = platform.organization().await;
    let other = all
        .post(
            "/api/banks",
            &json!({"name": "Other", "environment": "sandbox"}),
        )
        .await
        .body;
    let theirs = create(&all, json!({"name": "theirs", "bank_guid": other["guid"]})).await;
    let (_, _, foreign_bank, _) = platform.neighbour().await;
    let scopes = "bank_applications:execute bank_applications:read bank_applications:write \
                  banks:read banks:write accounts:read";
    let credentials_of_bank = seed_bank_key(&platform, scopes).await;
    let bank = platform.bearer(&platform.token(&credentials_of_bank).await);

    let mut own = column(&bank.get(PATH).await, "client_id");
    assert_eq!(
        own,
        [
            platform.seed.bank.key.client_id.clone(),
            credentials_of_bank.client_id.clone()
        ]
    );
    for named in [
        json!(other["guid"]),
        json!(foreign_bank),
        json!("nonsense"),
        json!(null),
    ] {
        platform.advance(Duration::from_millis(1));
        let key = create(&bank, json!({"name": "own", "bank_guid": named})).await;
        own.push(text(&key, "client_id"));
        let me = platform
            .bearer(&platform.token(&credentials(&key)).await)
            .get("/v1/whoami")
            .await;
        assert_eq!(me.body["bank"], json!(platform.seed.bank.guid), "{me:?}");
        let renamed = bank
            .patch(
                &format!("{PATH}/{}", own.last().unwrap()),
                &json!({"name": "renamed", "bank_guid": named}),
            )
            .await;
        assert_eq!(
            (renamed.status, &renamed.body["name"]),
            (200, &json!("renamed")),
            "{renamed:?}"
        );
        for path in [PATH, "/api/banks"] {
            let list = bank
                .get(&format!(
                    "{path}?bank_guid={}",
                    named.as_str().unwrap_or_default()
                ))
                .await;
            let expected = if path == PATH {
                own.as_slice()
            } else {
                std::slice::from_ref(&platform.seed.bank.guid)
            };
            assert_eq!(
                column(&list, if path == PATH { "client_id" } else { "guid" }),
                expected,
                "{list:?}"
            );
        }
        assert_bank_is_its_own(&bank, &platform.seed.bank.guid, &named).await;
    }

    // Another bank's key is the 404 of nothing to it, and so is its organization's.
    let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
    for hidden in [
        &text(&theirs, "client_id"),
        &text(&theirs, "guid"),
        &platform.seed.organization.key.client_id,
    ] {
        assert_hidden(&bank, PATH, hidden).await;
    }
    assert_eq!(
        organization_snapshot(&platform, &all, seed_organization(&platform)).await,
        before
    );
    assert_eq!(
        bank.delete(&format!("{PATH}/{}", own.pop().unwrap()))
            .await
            .status,
        204
    );
    assert_eq!(column(&bank.get(PATH).await, "client_id"), own);
}

/// Asserts that a bank reads and renames its own bank, although it names another.
async fn assert_bank_is_its_own(bank: &Caller, own: &str, named: &Value) {
    let path = format!("/api/banks/{own}");
    assert_eq!(bank.get(&format!("{path}?bank_guid=x")).await.status, 200);
    let renamed = bank
        .patch(&path, &json!({"name": "Still mine", "bank_guid": named}))
        .await;
    assert_eq!(
        (renamed.status, &renamed.body["guid"]),
        (200, &json!(own)),
        "{renamed:?}"
    );
}

#[tokio::test]
async fn cyb_3_the_list_is_filtered_by_bank_guid() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let organization = seed_organization(&platform);
    let other = text(
        &caller
            .post(
                "/api/banks",
                &json!({"name": "Other", "environment": "sandbox"}),
            )
            .await
            .body,
        "guid",
    );
    let (foreign_organization, _, foreign_bank, _) = platform.neighbour().await;
    let (production, _) = platform
        .operator()
        .bank(organization, "Production", BankEnvironment::Production)
        .await
        .unwrap();
    let mut expected = [vec![platform.seed.bank.key.client_id.clone()], Vec::new()];
    for number in 0..11 {
        platform.advance(Duration::from_millis(1));
        let bank = [&platform.seed.bank.guid, &other][number % 2];
        let key = create(&caller, json!({"name": "key", "bank_guid": bank})).await;
        expected[number % 2].push(text(&key, "client_id"));
    }
    for (bank, keys) in [&platform.seed.bank.guid, &other]
        .into_iter()
        .zip(&expected)
    {
        let list = caller.get(&format!("{PATH}?bank_guid={bank}")).await;
        assert_eq!(
            (column(&list, "client_id"), &list.body["total"]),
            (keys.clone(), &json!(keys.len()))
        );
        let list = caller
            .get(&format!("{PATH}?per_page=2&bank_guid={bank}&page=1"))
            .await;
        assert_eq!(
            (column(&list, "client_id").as_slice(), &list.body["total"]),
            (&keys[2..4], &json!(keys.len()))
        );
    }
    assert_eq!(caller.get(PATH).await.body["total"], 12);
    let nothing = appearance(
        &caller
            .get(&format!("{PATH}?bank_guid={}", "0".repeat(32)))
            .await,
    );
    for bank in [foreign_bank, foreign_organization, production, organization] {
        let list = caller.get(&format!("{PATH}?bank_guid={bank}")).await;
        assert_eq!(appearance(&list), nothing, "{bank}");
        assert_eq!(list.body["total"], 0);
    }
    caller
        .get(&format!("{PATH}?bank_guid=nonsense"))
        .await
        .assert_field("bank_guid", "32 lower-case hexadecimal");
    let list = caller
        .get(&format!("/api/organization_applications?bank_guid={other}"))
        .await;
    assert_eq!(
        list.body["total"], 0,
        "no key of an organization is a bank's: {list:?}"
    );
}

/// A live organization key: production banks and live keys, and nothing of sandbox.
#[tokio::test]
async fn cyb_4_a_live_key_reaches_production_banks_alone() {
    let platform = Platform::start().await;
    let organization = seed_organization(&platform);
    let (production, production_key) = platform
        .operator()
        .bank(organization, "Production", BankEnvironment::Production)
        .await
        .unwrap();
    let scopes = Catalogue::default().all(Holder::Organization).to_string();
    let live_key = seed_organization_key(&platform, KeyMode::Live, &scopes).await;
    platform
        .operator()
        .kyb(organization, Kyb::Approved)
        .await
        .unwrap();
    let live = platform.bearer(&platform.token(&live_key).await);
    let sandbox = platform.organization().await;

    let made = create(&live, json!({"name": "live", "bank_guid": production})).await;
    assert!(text(&made, "secret").starts_with("lk_live_"));
    assert_eq!(
        column(&live.get(PATH).await, "client_id"),
        [production_key.client_id.clone(), text(&made, "client_id")]
    );
    assert_eq!(
        column(
            &live.get("/api/organization_applications").await,
            "client_id"
        ),
        std::slice::from_ref(&live_key.client_id)
    );
    assert_eq!(
        column(&sandbox.get(PATH).await, "client_id"),
        std::slice::from_ref(&platform.seed.bank.key.client_id)
    );
    let mine = column(
        &sandbox.get("/api/organization_applications").await,
        "client_id",
    );
    assert_eq!(
        mine,
        std::slice::from_ref(&platform.seed.organization.key.client_id)
    );

    let nonsense = live
        .post(PATH, &json!({"name": "k", "bank_guid": "nonsense"}))
        .await;
    nonsense.assert_field("bank_guid", "names no live bank of this organization");
    let other_kind = live
        .post(
            PATH,
            &json!({"name": "k", "bank_guid": platform.seed.bank.guid}),
        )
        .await;
    assert_eq!(appearance(&other_kind), appearance(&nonsense));
    for (caller, family, hidden) in [
        (
            &live,
            "bank_applications",
            &platform.seed.bank.key.client_id,
        ),
        (
            &live,
            "organization_applications",
            &platform.seed.organization.key.client_id,
        ),
        (&sandbox, "bank_applications", &text(&made, "client_id")),
        (&sandbox, "organization_applications", &live_key.client_id),
    ] {
        assert_hidden(caller, &format!("/api/{family}"), hidden).await;
    }
    assert_eq!(
        platform
            .request_token(&production_key, platform.anonymous())
            .await
            .status,
        200
    );
}

/// A caller whose token has these scopes of the seed organization's key.
pub async fn narrowed(platform: &Platform, scope: &str) -> Caller {
    let body = json!({
        "grant_type": "client_credentials",
        "client_id": platform.seed.organization.key.client_id,
        "client_secret": platform.seed.organization.key.client_secret,
        "scope": scope,
    });
    let answer = platform.anonymous().post("/oauth/token", &body).await;
    assert_eq!(answer.body["scope"], json!(scope), "{answer:?}");
    platform.bearer(answer.body["access_token"].as_str().unwrap())
}

#[tokio::test]
async fn cyb_4_the_bank_of_a_key_is_the_bank_that_was_named() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let other = caller
        .post(
            "/api/banks",
            &json!({"name": "Other", "environment": "sandbox"}),
        )
        .await
        .body;
    let key = create(&caller, json!({"name": "key", "bank_guid": other["guid"]})).await;
    let me = platform
        .bearer(&platform.token(&credentials(&key)).await)
        .get("/v1/whoami")
        .await;
    assert_eq!(
        (&me.body["bank"], &me.body["organization"]),
        (&other["guid"], &json!(platform.seed.organization.guid))
    );
    let store = platform.stack.services().store().unwrap();
    let stored = store
        .key(text(&key, "client_id").parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        stored.owner,
        Owner::Bank(guid(other["guid"].as_str().unwrap()))
    );
}
