//! Who orders a revocation of what, and what is refused with nothing changed.

use domain::{
    key_mode::{BankEnvironment, KeyMode},
    role::Role,
};
use serde_json::{Value, json};
use tests::Platform;

use super::{PATH, order, revoke};
use crate::{
    management_keys::seed_organization, organization_snapshot::organization_snapshot,
    people::Person,
};

#[tokio::test]
async fn leak_8_403_for_whoever_is_neither_admin_nor_owner_nor_security() {
    let platform = Platform::start().await;
    let machine = platform.organization().await;
    let before = organization_snapshot(&platform, &machine, seed_organization(&platform)).await;
    let organization = &platform.seed.organization.guid;
    for caller in [
        platform.developer(),
        platform.viewer(),
        platform.support(),
        platform.operations(),
        machine.clone(),
        platform.bank().await,
    ] {
        for members in [
            json!({"whole_organization": true, "dry_run": true}),
            json!({"whole_organization": true, "organization_guid": organization}),
        ] {
            revoke(&caller, &members)
                .await
                .assert_error(403, "forbidden");
        }
    }
    platform
        .anonymous()
        .post(PATH, &order(&json!({"whole_organization": true})))
        .await
        .assert_error(401, "authentication_failed");
    assert_eq!(
        organization_snapshot(&platform, &machine, seed_organization(&platform)).await,
        before
    );
    let admin = Person::new(&platform, Role::Admin).await;
    assert_eq!(
        revoke(
            &admin.caller,
            &json!({"whole_organization": true, "dry_run": true})
        )
        .await
        .status,
        200
    );
}

#[tokio::test]
async fn leak_8_422_for_an_order_that_says_nothing_clear_and_nothing_changes() {
    let platform = Platform::start().await;
    let (owner, machine) = (platform.owner(), platform.organization().await);
    let before = organization_snapshot(&platform, &machine, seed_organization(&platform)).await;
    for (members, field, words) in unclear_orders(&platform) {
        revoke(&owner, &members).await.assert_field(field, words);
    }
    owner
        .post(PATH, &json!({"whole_organization": true}))
        .await
        .assert_field("reason", "is required");
    let live = json!({"whole_organization": true, "environment": "live"});
    revoke(&owner, &live).await.assert_error(403, "forbidden");
    revoke(&platform.security(), &json!({"whole_organization": true}))
        .await
        .assert_field("organization_guid", "is required");
    let nothing = json!({"whole_organization": true, "organization_guid": "1".repeat(32)});
    revoke(&platform.security(), &nothing)
        .await
        .assert_error(404, "not_found");
    assert_eq!(
        organization_snapshot(&platform, &machine, seed_organization(&platform)).await,
        before
    );
}

/// Orders without one clear selection of keys, the field that is refused, and words of the refusal.
fn unclear_orders(platform: &Platform) -> Vec<(Value, &'static str, &'static str)> {
    let (bank, key) = (&platform.seed.bank.guid, &platform.seed.bank.key.client_id);
    vec![
        (json!({}), "body", "must say which keys"),
        (
            json!({"environment": "sandbox"}),
            "body",
            "must say which keys",
        ),
        (
            json!({"reason": ""}),
            "reason",
            "must have 1 to 512 characters",
        ),
        (
            json!({"reason": "x".repeat(513), "whole_organization": true}),
            "reason",
            "must have 1 to 512 characters",
        ),
        (
            json!({"reason": null, "whole_organization": true}),
            "reason",
            "must be a string",
        ),
        (
            json!({"dry_run": null, "whole_organization": true}),
            "dry_run",
            "must be a boolean",
        ),
        (
            json!({"whole_organization": false}),
            "whole_organization",
            "must be true",
        ),
        (
            json!({"whole_organization": null}),
            "whole_organization",
            "must be",
        ),
        (json!({"keys": []}), "keys", "1 to 100"),
        (json!({"keys": vec![key; 101]}), "keys", "1 to 100"),
        (json!({"keys": [key, key]}), "keys[1]", "is a duplicate"),
        (json!({"keys": [key, "x"]}), "keys[1]", "names no key"),
        (
            json!({"keys": [key], "bank_guid": bank}),
            "keys",
            "there is another",
        ),
        (
            json!({"bank_guid": bank, "whole_organization": true}),
            "bank_guid",
            "there is another",
        ),
        (
            json!({"whole_organization": true, "created_from": "2020-01-01T00:00:00Z"}),
            "whole_organization",
            "leave it out",
        ),
        (
            json!({"keys": [key], "environment": "sandbox"}),
            "keys",
            "one by one",
        ),
        (
            json!({"created_from": "2999-01-01T00:00:00Z"}),
            "created_from",
            "must be past",
        ),
        (
            json!({"created_until": "yesterday"}),
            "created_until",
            "RFC 3339",
        ),
        (
            json!({"bank_guid": bank, "environment": "production"}),
            "environment",
            "must be sandbox or live",
        ),
        (
            json!({
                "organization_guid": platform.seed.organization.guid,
                "whole_organization": true,
            }),
            "organization_guid",
            "platform staff",
        ),
        (json!({"whole": true}), "whole", "is not a member"),
    ]
}

#[tokio::test]
async fn leak_8_what_is_of_somebody_else_is_refused_with_the_words_for_nothing_at_all() {
    let platform = Platform::start().await;
    let (owner, security) = (platform.owner(), platform.security());
    let (neighbour, _, foreign_bank, foreign_key) = platform.neighbour().await;
    let operator = platform.operator();
    let foreign_user = operator
        .user(neighbour, "ada@example.com", Role::Viewer, None)
        .await
        .unwrap();
    let (live_bank, live_key) = operator
        .bank(
            seed_organization(&platform),
            "Live bank",
            BankEnvironment::Production,
        )
        .await
        .unwrap();
    let machine = platform.organization().await;
    let before = organization_snapshot(&platform, &machine, seed_organization(&platform)).await;
    let own = &platform.seed.bank.key.client_id;
    let staff = |members: &Value| {
        let mut members = members.clone();
        members["organization_guid"] = json!(platform.seed.organization.guid);
        members
    };
    for (foreign, none, field) in [
        (
            json!({"keys": [own, foreign_key.client_id]}),
            json!({"keys": [own, "1".repeat(32)]}),
            "keys[1]",
        ),
        (
            json!({"bank_guid": foreign_bank}),
            json!({"bank_guid": "1".repeat(32)}),
            "bank_guid",
        ),
        (
            json!({"user_guid": foreign_user.guid}),
            json!({"user_guid": "1".repeat(32)}),
            "user_guid",
        ),
    ] {
        for dry in [true, false] {
            let (mut foreign, mut none) = (foreign.clone(), none.clone());
            foreign["dry_run"] = json!(dry);
            none["dry_run"] = json!(dry);
            let said = revoke(&owner, &foreign).await;
            said.assert_field(field, "of this organization");
            assert_eq!(said.body, revoke(&owner, &none).await.body);
            let said = revoke(&security, &staff(&foreign)).await;
            said.assert_field(field, "of this organization");
        }
    }
    // A sandbox credential knows of no live bank, and of no live key but people's own.
    revoke(&owner, &json!({"bank_guid": live_bank}))
        .await
        .assert_field("bank_guid", "of this organization");
    revoke(&owner, &json!({"keys": [live_key.client_id]}))
        .await
        .assert_field("keys[0]", "of this organization");
    assert_eq!(
        organization_snapshot(&platform, &machine, seed_organization(&platform)).await,
        before
    );
    let dry = revoke(
        &security,
        &staff(&json!({"bank_guid": live_bank, "dry_run": true})),
    )
    .await;
    assert_eq!(
        (dry.status, &dry.body["keys_affected"]),
        (200, &json!(1)),
        "{dry:?}"
    );
    let live_owner = Person::of(
        &platform,
        seed_organization(&platform),
        Role::Owner,
        KeyMode::Live,
    )
    .await;
    let dry = revoke(
        &live_owner.caller,
        &json!({"bank_guid": live_bank, "dry_run": true}),
    )
    .await;
    assert_eq!(
        (dry.status, &dry.body["active_keys_affected"]),
        (200, &json!(0)),
        "it waits for KYB: {dry:?}"
    );
}

/// A role says who orders it, and the scopes that the person holds now how far that goes.
#[tokio::test]
async fn leak_8_403_insufficient_scope_for_whoever_is_narrowed_below_keys_of_any_owner() {
    let platform = Platform::start().await;
    let machine = platform.organization().await;
    let (bank, organization) = (
        "bank_applications:execute",
        "organization_applications:execute",
    );
    for scopes in ["banks:read", bank, organization] {
        let narrowed = Person::narrowed(&platform, Role::Admin, scopes).await;
        let before = organization_snapshot(&platform, &machine, seed_organization(&platform)).await;
        for members in [
            json!({"whole_organization": true, "dry_run": true}),
            json!({"whole_organization": true, "include_caller": true}),
            json!({"keys": [narrowed.client_id], "include_caller": true}),
        ] {
            let refused = revoke(&narrowed.caller, &members).await;
            refused.assert_error(403, "insufficient_scope");
            assert!(
                refused.text.contains(bank) && refused.text.contains(organization),
                "{refused:?}"
            );
        }
        assert_eq!(
            organization_snapshot(&platform, &machine, seed_organization(&platform)).await,
            before
        );
    }
    let both = Person::narrowed(&platform, Role::Admin, &format!("{bank} {organization}")).await;
    assert_eq!(
        revoke(
            &both.caller,
            &json!({"whole_organization": true, "include_caller": true})
        )
        .await
        .status,
        200
    );
}
