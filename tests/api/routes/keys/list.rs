//! GET of the collection: what is on it for whom, filtered and counted exactly.

use std::time::Duration;

use domain::{
    gate::Kyb,
    key_mode::{BankEnvironment, KeyMode},
    role::Role,
};
use serde_json::{Value, json};
use tests::{Caller, Platform};

use super::{PATH, Person, body, item, make, of_bank, of_organization};
use crate::{
    management_keys::{seed_bank_key, seed_organization},
    organization_snapshot::{column, text},
    routes::bank_applications::narrowed,
};

async fn listed(caller: &Caller, query: &str) -> Vec<String> {
    let list = caller.get(&format!("{PATH}?per_page=100{query}")).await;
    let names = column(&list, "client_id");
    assert_eq!(list.body["total"], json!(names.len()), "{list:?}");
    names
}

fn ids(keys: &[&Value]) -> Vec<String> {
    keys.iter().map(|key| text(key, "client_id")).collect()
}

#[tokio::test]
async fn every_filter_narrows_and_totals_are_exact() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let caller = platform.owner();
    let before = listed(&caller, "").await;
    assert_eq!(
        before.len(),
        5,
        "the organization's, the bank's and three people's"
    );
    let me = &platform.seed.users.owner.guid;
    let made = make_one_of_each(&platform, &caller).await;
    let [bank, organization, others, own, stopped, revoked] = &made[..] else {
        unreachable!()
    };

    let seeded = |key: &str| json!({"client_id": key});
    let (bank_key, organization_key) = (
        seeded(&platform.seed.bank.key.client_id),
        seeded(&platform.seed.organization.key.client_id),
    );
    let all = listed(&caller, "").await;
    assert_eq!(
        all,
        [before.clone(), ids(&made.iter().collect::<Vec<_>>())].concat(),
        "in order of creation, revoked ones too"
    );
    let bank_guid = &platform.seed.bank.guid;
    for (query, expected) in [
        (
            "&owner_type=bank".to_owned(),
            ids(&[&bank_key, bank, others, stopped, revoked]),
        ),
        (
            "&owner_type=organization".to_owned(),
            ids(&[&organization_key, organization]),
        ),
        (
            format!("&owner_type=user&owner_guid={me}"),
            vec![before_of(&caller, me).await, text(own, "client_id")],
        ),
        (
            format!("&owner_guid={bank_guid}"),
            ids(&[&bank_key, bank, stopped, revoked]),
        ),
        (
            format!("&bank_guid={bank_guid}"),
            ids(&[&bank_key, bank, stopped, revoked]),
        ),
        (format!("&bank_guid={bank_guid}&owner_type=user"), vec![]),
        (format!("&owner_guid={}", "0".repeat(32)), vec![]),
        ("&state=revoked".to_owned(), ids(&[revoked])),
        ("&state=deactivated".to_owned(), ids(&[stopped])),
        ("&state=expired".to_owned(), ids(&[organization])),
        ("&state=inactive".to_owned(), vec![]),
        (
            format!("&state=active&bank_guid={bank_guid}"),
            ids(&[&bank_key, bank]),
        ),
        ("&environment=live".to_owned(), vec![]),
        ("&environment=sandbox".to_owned(), all.clone()),
    ] {
        assert_eq!(listed(&caller, &query).await, expected, "{query}");
    }
    for state in ["active", "revoked"] {
        assert_paged(&caller, state).await;
    }
    let shown = caller.get(&format!("{PATH}?state=expired")).await;
    assert_eq!(
        shown.body["objects"][0],
        caller.get(&item(organization, "")).await.body
    );
    assert_eq!(
        (
            &shown.body["objects"][0]["state"],
            &shown.body["objects"][0]["secrets"]
        ),
        (&json!("expired"), &json!([]))
    );
}

/// A key of the seed's bank, an expired one of the organization, one of another bank, one of the
/// owner's own, and of the seed's bank a deactivated one and a revoked one.
async fn make_one_of_each(platform: &Platform, caller: &Caller) -> Vec<Value> {
    let other = caller
        .post(
            "/api/banks",
            &json!({"name": "Other", "environment": "sandbox"}),
        )
        .await
        .body;
    let end = (platform.stack.services().ambient().clock)() + Duration::from_mins(9);
    let mut made = Vec::new();
    for body in [
        of_bank(platform, &json!({})),
        of_organization(platform, &json!({"expires_at": end})),
        body("bank", &text(&other, "guid"), &json!({})),
        body("user", &platform.seed.users.owner.guid, &json!({})),
        of_bank(platform, &json!({})),
        of_bank(platform, &json!({})),
    ] {
        platform.advance(Duration::from_millis(2));
        made.push(make(caller, &body).await);
    }
    assert_eq!(
        caller
            .post(&item(&made[4], "/deactivate"), &Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(caller.delete(&item(&made[5], "")).await.status, 204);
    platform.advance(Duration::from_mins(10));
    made
}

/// Asserts that pages of a filtered list are pieces of the whole, and count the whole.
async fn assert_paged(caller: &Caller, state: &str) {
    let whole = listed(caller, &format!("&state={state}")).await;
    for (page, expected) in whole.chunks(2).enumerate() {
        let list = caller
            .get(&format!("{PATH}?state={state}&per_page=2&page={page}"))
            .await;
        assert_eq!(
            (column(&list, "client_id").as_slice(), &list.body["total"]),
            (expected, &json!(whole.len()))
        );
    }
}

/// The first personal key of this user.
async fn before_of(caller: &Caller, user: &str) -> String {
    listed(caller, &format!("&owner_guid={user}"))
        .await
        .remove(0)
}

#[tokio::test]
async fn unprocessable_for_parameters_that_are_wrong_unknown_or_repeated() {
    let platform = Platform::start().await;
    let caller = platform.owner();
    for (query, field) in [
        ("owner_type=application", "owner_type"),
        ("owner_type=", "owner_type"),
        ("owner_guid=nonsense", "owner_guid"),
        ("bank_guid=nonsense", "bank_guid"),
        ("environment=production", "environment"),
        ("state=stopped", "state"),
        ("page=-1", "page"),
        ("per_page=101", "per_page"),
        ("colour=red", "colour"),
        ("state=active&state=active", "state"),
        (
            "organization_guid=00000000000000000000000000000000",
            "organization_guid",
        ),
    ] {
        caller
            .get(&format!("{PATH}?{query}"))
            .await
            .assert_field(field, "");
    }
}

/// Listing is open to those who may read the keys of an owner, or read the owners (CYB-11).
#[tokio::test]
async fn cyb_11_the_keys_whose_owners_the_scopes_open() {
    let platform = Platform::start().await;
    let (bank, organization) = (
        &platform.seed.bank.key.client_id,
        &platform.seed.organization.key.client_id,
    );
    let owner = platform.owner();
    let all = listed(&owner, "").await;
    assert_eq!(
        all,
        listed(&platform.viewer(), "").await,
        "viewers read everything"
    );
    let without_bank: Vec<String> = all.iter().filter(|key| *key != bank).cloned().collect();
    for (scopes, expected) in [
        ("bank_applications:read", vec![bank.clone()]),
        ("banks:read", vec![bank.clone()]),
        ("organization_applications:read", without_bank),
        ("organizations:read", all.clone()),
        (
            "bank_applications:read organization_applications:read",
            all.clone(),
        ),
    ] {
        assert_eq!(
            listed(&narrowed(&platform, scopes).await, "").await,
            expected,
            "{scopes}"
        );
    }
    let none = narrowed(&platform, "accounts:read bank_applications:write").await;
    none.get(PATH).await.assert_error(403, "insufficient_scope");
    assert!(all.contains(organization));
    let read = narrowed(&platform, "banks:read")
        .await
        .get(&format!("{PATH}/{bank}"))
        .await;
    read.assert_error(403, "insufficient_scope");
}

#[tokio::test]
async fn cyb_4_a_bank_token_lists_its_banks_keys_whatever_it_names() {
    let platform = Platform::start().await;
    let all = platform.organization().await;
    let other = all
        .post(
            "/api/banks",
            &json!({"name": "Other", "environment": "sandbox"}),
        )
        .await
        .body;
    make(&all, &body("bank", &text(&other, "guid"), &json!({}))).await;
    let key = seed_bank_key(&platform, "bank_applications:read").await;
    let bank = platform.bearer(&platform.token(&key).await);
    let expected = [
        platform.seed.bank.key.client_id.clone(),
        key.client_id.clone(),
    ];
    for query in [
        String::new(),
        format!("&bank_guid={}", text(&other, "guid")),
        "&bank_guid=nonsense".to_owned(),
    ] {
        assert_eq!(listed(&bank, &query).await, expected, "{query}");
    }
    assert!(
        listed(&bank, &format!("&owner_guid={}", text(&other, "guid")))
            .await
            .is_empty()
    );
}

/// A credential lists the keys of its kind; people also see which personal ones of the other kind
/// there are. Live keys are inactive until KYB is approved (ARZ-3).
#[tokio::test]
async fn arz_3_live_keys_are_on_the_lists_of_live_callers_and_inactive_until_kyb() {
    let platform = Platform::start().await;
    let organization = seed_organization(&platform);
    let operator = platform.operator();
    let (_, production_key) = operator
        .bank(organization, "Production", BankEnvironment::Production)
        .await
        .unwrap();
    let live = Person::new(&platform, Role::Viewer, KeyMode::Live).await;
    let (support, at) = (
        platform.support(),
        format!("&organization_guid={organization}"),
    );
    let state = async |state: &str| listed(&live.caller, &format!("&state={state}")).await;
    assert_eq!(
        state("inactive").await,
        std::slice::from_ref(&production_key.client_id)
    );
    assert!(
        state("active").await.contains(&live.client_id),
        "no KYB for people"
    );
    assert_eq!(
        listed(&support, &format!("{at}&state=inactive")).await,
        std::slice::from_ref(&production_key.client_id)
    );
    assert!(
        listed(&platform.owner(), "")
            .await
            .contains(&live.client_id)
    );
    assert!(
        !listed(&platform.organization().await, "")
            .await
            .contains(&live.client_id),
        "machines see one kind"
    );
    assert!(
        !listed(&live.caller, "")
            .await
            .contains(&platform.seed.bank.key.client_id)
    );
    operator.kyb(organization, Kyb::Approved).await.unwrap();
    assert!(
        state("inactive").await.is_empty()
            && state("active").await.contains(&production_key.client_id)
    );
}
