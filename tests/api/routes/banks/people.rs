//! Banks in the hands of people and of platform staff.

use domain::{
    ids::Guid,
    key_mode::{BankEnvironment, KeyMode},
    role::Role,
};
use serde_json::{Value, json};
use tests::Platform;

use crate::{
    management_keys::seed_organization,
    organization_snapshot::{column, organization_snapshot, text},
    people::{Person, events, post_once},
};

const PATH: &str = "/api/banks";

#[tokio::test]
async fn cyb_1_owners_and_admins_make_banks_of_their_keys_kind_and_others_read() {
    let platform = Platform::start().await;
    let (owner, machine) = (platform.owner(), platform.organization().await);
    let admin = Person::of(
        &platform,
        seed_organization(&platform),
        Role::Admin,
        KeyMode::Live,
    )
    .await
    .caller;
    let sandbox = json!({"name": "Sandbox", "environment": "sandbox"});
    let production = json!({"name": "Production", "environment": "production"});
    let made = owner.post(PATH, &sandbox).await;
    assert_eq!(made.status, 201, "{made:?}");
    let live = admin.post(PATH, &production).await;
    assert_eq!(live.status, 201, "{live:?}");
    let before = organization_snapshot(&platform, &machine, seed_organization(&platform)).await;
    owner
        .post(PATH, &production)
        .await
        .assert_error(403, "forbidden");
    admin
        .post(PATH, &sandbox)
        .await
        .assert_error(403, "forbidden");
    let path = format!("{PATH}/{}", text(&made.body, "guid"));
    for caller in [platform.developer(), platform.viewer()] {
        caller
            .post(PATH, &sandbox)
            .await
            .assert_error(403, "forbidden");
        caller
            .patch(&path, &json!({"name": "n"}))
            .await
            .assert_error(403, "forbidden");
        assert_eq!(caller.get(&path).await.body, made.body);
        caller
            .get(&format!("{PATH}/{}", text(&live.body, "guid")))
            .await
            .assert_error(404, "not_found");
    }
    admin
        .patch(&path, &json!({"name": "n"}))
        .await
        .assert_error(404, "not_found");
    assert_eq!(
        organization_snapshot(&platform, &machine, seed_organization(&platform)).await,
        before
    );
    assert_eq!(
        owner.patch(&path, &json!({"name": "Renamed"})).await.body["name"],
        "Renamed"
    );
    let by = events(&platform, seed_organization(&platform), "bank.update").await;
    assert_eq!(
        by.last().unwrap()["actor"]["guid"],
        platform.seed.users.owner.guid
    );
}

#[tokio::test]
async fn leak_3_support_reads_banks_of_either_kind_of_the_customer_it_names() {
    let platform = Platform::start().await;
    let organization = seed_organization(&platform);
    let (live, _) = platform
        .operator()
        .bank(organization, "Live bank", BankEnvironment::Production)
        .await
        .unwrap();
    let (neighbour, _, foreign, _) = platform.neighbour().await;
    let support = platform.support();
    let of = async |guid: Guid| {
        support
            .get(&format!("{PATH}?organization_guid={guid}"))
            .await
    };
    assert_eq!(
        column(&of(organization).await, "guid"),
        [platform.seed.bank.guid.clone(), live.to_string()]
    );
    assert_eq!(
        column(&of(neighbour).await, "guid"),
        vec![foreign.to_string()]
    );
    for bank in [live, foreign] {
        assert_eq!(support.get(&format!("{PATH}/{bank}")).await.status, 200);
    }
    support
        .get(PATH)
        .await
        .assert_field("organization_guid", "is required of platform staff");
    for nothing in [Guid::PLATFORM, Guid::from_bytes([0x11; 16])] {
        of(nothing).await.assert_error(404, "not_found");
    }
    platform
        .owner()
        .get(&format!("{PATH}?organization_guid={organization}"))
        .await
        .assert_field("organization_guid", "platform staff");
    for staff in [platform.security(), platform.operations()] {
        staff
            .get(&format!("{PATH}?organization_guid={organization}"))
            .await
            .assert_error(403, "forbidden");
        staff
            .get(&format!("{PATH}/{live}"))
            .await
            .assert_error(403, "forbidden");
    }
    support
        .post(PATH, &json!({"name": "n", "environment": "sandbox"}))
        .await
        .assert_error(403, "forbidden");
    support
        .patch(&format!("{PATH}/{live}"), &json!({"name": "n"}))
        .await
        .assert_error(403, "forbidden");
}

#[tokio::test]
async fn x_8_a_repeated_creation_answers_with_the_same_bank() {
    let platform = Platform::start().await;
    let body = json!({"name": "Bank", "environment": "sandbox"});
    for (number, caller) in [platform.owner(), platform.organization().await]
        .into_iter()
        .enumerate()
    {
        let made = post_once(&caller, PATH, "one", &body).await;
        assert_eq!(
            (made.status, made.header("idempotency-replayed")),
            (201, ""),
            "another principal, another key: {made:?}"
        );
        let renamed = caller
            .patch(
                &format!("{PATH}/{}", text(&made.body, "guid")),
                &json!({"name": "Renamed"}),
            )
            .await;
        let again = post_once(&caller, PATH, "one", &body).await;
        assert_eq!(
            (
                again.status,
                again.header("idempotency-replayed"),
                &again.body
            ),
            (201, "true", &renamed.body)
        );
        let other = json!({"name": "Other", "environment": "sandbox"});
        post_once(&caller, PATH, "one", &other)
            .await
            .assert_error(422, "idempotency_key_reused");
        post_once(&caller, PATH, "a b", &body)
            .await
            .assert_error(400, "malformed_request");
        assert_eq!(
            caller.get(PATH).await.body["total"],
            number + 2,
            "the seed's and one for each"
        );
    }
    let owner = platform.owner();
    platform.advance(std::time::Duration::from_hours(24));
    let later = post_once(&owner, PATH, "one", &body).await;
    assert_eq!(
        (
            later.status,
            later.header("idempotency-replayed"),
            &later.body["name"]
        ),
        (201, "", &json!("Bank"))
    );
    assert_eq!(owner.get(PATH).await.body["total"], 4);
    assert_eq!(
        owner.get(&format!("{PATH}?organization_guid=")).await.body["errors"][0]["field"],
        Value::from("organization_guid")
    );
}
