//! `/api/organization_applications`: what a new organization key may hold (CYB-11), and that live
//! ones sleep (ARZ-3).

use domain::{
    gate::Kyb,
    key_mode::{BankEnvironment, KeyMode},
    scope::{Catalogue, Grant, Holder},
};
use serde_json::{Value, json};
use tests::{Platform, platform::credentials};

use crate::{
    management_keys::seed_organization,
    organization_snapshot::{appearance, organization_snapshot, text},
    routes::bank_applications::narrowed,
};

const PATH: &str = "/api/organization_applications";

#[tokio::test]
async fn cyb_11_scopes_of_a_new_organization_key() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let catalogue = Catalogue::default();
    let defaults: Vec<String> = catalogue
        .defaults(Holder::Organization)
        .iter()
        .map(ToString::to_string)
        .collect();
    let with = |scopes: Value| json!({"name": "key", "scopes": scopes});
    let every = caller.post(PATH, &with(json!(null))).await;
    assert_eq!(
        (every.status, &every.body["scopes"]),
        (201, &json!(defaults)),
        "every yes of its kind"
    );
    let subset = caller
        .post(PATH, &with(json!(["organizations:read", "banks:execute"])))
        .await;
    assert_eq!(
        (subset.status, &subset.body["scopes"]),
        (201, &json!(["banks:execute", "organizations:read"]))
    );

    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for (scopes, field, words) in [
        (
            json!(["unknown:read"]),
            "scopes[0]",
            "is not a scope that a key of this owner may hold",
        ),
        (
            json!(["banks:read", "accounts:execute"]),
            "scopes[1]",
            "is not a scope that a key of this owner may hold",
        ),
        (
            json!(["banks:read", "banks:read"]),
            "scopes[1]",
            "is a duplicate",
        ),
        (json!([]), "scopes", "at least one"),
    ] {
        caller
            .post(PATH, &with(scopes))
            .await
            .assert_field(field, words);
    }
    let granted = catalogue
        .scopes()
        .filter(|scope| catalogue.grant(Holder::Organization, scope) == Some(Grant::Granted));
    for scope in granted {
        let answer = caller
            .post(PATH, &with(json!(["banks:read", scope.as_str()])))
            .await;
        answer.assert_error(403, "insufficient_scope");
        assert!(answer.text.contains(scope.as_str()), "{answer:?}");
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

#[tokio::test]
async fn cyb_11_a_narrowed_token_confers_only_what_it_holds() {
    let platform = Platform::start().await;
    let caller = narrowed(
        &platform,
        "banks:read organization_applications:execute organizations:read",
    )
    .await;
    let all = platform.organization().await;
    let every = caller.post(PATH, &json!({"name": "key"})).await;
    assert_eq!(
        (every.status, &every.body["scopes"]),
        (201, &json!(["banks:read", "organizations:read"])),
        "{every:?}"
    );
    let one = caller
        .post(PATH, &json!({"name": "key", "scopes": ["banks:read"]}))
        .await;
    assert_eq!(
        (one.status, &one.body["scopes"]),
        (201, &json!(["banks:read"])),
        "{one:?}"
    );
    let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
    for beyond in ["banks:write", "organizations:write", "accounts:read"] {
        let answer = caller
            .post(
                PATH,
                &json!({"name": "key", "scopes": ["banks:read", beyond]}),
            )
            .await;
        answer.assert_error(403, "insufficient_scope");
        assert!(answer.text.contains(beyond), "{answer:?}");
    }
    assert_eq!(
        organization_snapshot(&platform, &all, seed_organization(&platform)).await,
        before
    );

    // The key it made holds no more than it says, and so do the keys' own tokens.
    let made = platform.bearer(&platform.token(&credentials(&one.body)).await);
    assert_eq!(made.get("/api/banks").await.status, 200);
    made.get("/api/organizations")
        .await
        .assert_error(403, "insufficient_scope");
    made.post(PATH, &json!({"name": "key"}))
        .await
        .assert_error(403, "insufficient_scope");
}

#[tokio::test]
async fn cyb_3_422_for_a_bank_guid() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    let item = format!("{PATH}/{}", platform.seed.organization.key.client_id);
    for bank_guid in [platform.seed.bank.guid.as_str(), "nonsense"] {
        let body = json!({"name": "key", "bank_guid": bank_guid});
        caller
            .post(PATH, &body)
            .await
            .assert_field("bank_guid", "is not a member that this takes");
        caller
            .patch(&item, &body)
            .await
            .assert_field("bank_guid", "");
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

/// A key of one family is nothing to the other.
#[tokio::test]
async fn cyb_3_404_for_a_key_of_the_other_family() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for (family, other) in [
        (
            "bank_applications",
            &platform.seed.organization.key.client_id,
        ),
        (
            "organization_applications",
            &platform.seed.bank.key.client_id,
        ),
    ] {
        let nothing = appearance(
            &caller
                .get(&format!("/api/{family}/{}", "0".repeat(32)))
                .await,
        );
        let item = format!("/api/{family}/{other}");
        for answer in [
            caller.get(&item).await,
            caller.patch(&item, &json!({"name": "n"})).await,
            caller.delete(&item).await,
        ] {
            assert_eq!(appearance(&answer), nothing);
        }
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

/// Live keys start inactive and wake and sleep by KYB alone; sandbox keys are active at once.
#[tokio::test]
async fn arz_3_401_for_live_keys_until_kyb_is_approved() {
    let platform = Platform::start().await;
    let operator = platform.operator();
    let (organization, organization_key) =
        operator.organization("Live", KeyMode::Live).await.unwrap();
    let (_, bank_key) = operator
        .bank(organization, "Production", BankEnvironment::Production)
        .await
        .unwrap();
    let (_, sandbox_key) = operator
        .bank(organization, "Sandbox", BankEnvironment::Sandbox)
        .await
        .unwrap();
    for (kyb, open) in [
        (Kyb::Pending, false),
        (Kyb::Approved, true),
        (Kyb::Rejected, false),
        (Kyb::Approved, true),
    ] {
        if kyb != Kyb::Pending {
            operator.kyb(organization, kyb).await.unwrap();
        }
        for key in [&organization_key, &bank_key] {
            let by_id = platform.request_token(key, platform.anonymous()).await;
            let by_secret = platform
                .anonymous()
                .post(
                    "/v1/auth/token",
                    &json!({"client_secret": key.client_secret}),
                )
                .await;
            for answer in [by_id, by_secret] {
                if open {
                    assert_eq!(answer.status, 200, "{kyb:?}: {answer:?}");
                } else {
                    answer.assert_oauth_error(401, "invalid_client");
                }
            }
        }
        assert_eq!(
            platform
                .request_token(&sandbox_key, platform.anonymous())
                .await
                .status,
            200,
            "{kyb:?}"
        );
    }
    let live = platform.bearer(&platform.token(&organization_key).await);
    let shown = live
        .get(&format!("/api/organizations/{organization}"))
        .await;
    assert_eq!(shown.body["kyb"], "approved", "{shown:?}");
    let made = live.post(PATH, &json!({"name": "second"})).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(
        text(&made.body, "secret").starts_with("lk_live_"),
        "the caller's kind"
    );
    platform.token(&credentials(&made.body)).await;
}
