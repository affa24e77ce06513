//! Nobody makes of a user what they are not themselves (docs/requirements.md, Roles).

use domain::{key_mode::KeyMode, role::Role};
use serde_json::{Value, json};
use tests::Platform;

use super::{PATH, item};
use crate::{
    management_keys::{seed_organization, seed_organization_key},
    organization_snapshot::organization_snapshot,
    people::Person,
};

#[tokio::test]
async fn cbm_1_each_role_makes_users_up_to_its_own() {
    let platform = Platform::start().await;
    let admin = Person::new(&platform, Role::Admin).await.caller;
    let (owner, machine) = (platform.owner(), platform.organization().await);
    for (number, (caller, who, highest)) in [
        (&owner, "owner", 4),
        (&admin, "admin", 3),
        (&machine, "machine", 2),
    ]
    .into_iter()
    .enumerate()
    {
        for (rank, role) in ["viewer", "developer", "admin", "owner"]
            .into_iter()
            .enumerate()
        {
            let body = json!({"email": format!("{role}{number}@example.com"), "role": role});
            let made = caller.post(PATH, &body).await;
            if rank < highest {
                assert_eq!(made.status, 201, "{who} makes {role}: {made:?}");
            } else {
                made.assert_error(403, "forbidden");
            }
        }
    }
    for caller in [platform.developer(), platform.viewer()] {
        caller
            .post(PATH, &json!({"email": "ada@example.com"}))
            .await
            .assert_error(403, "forbidden");
        caller
            .delete(&format!("{PATH}/{}", platform.seed.users.viewer.guid))
            .await
            .assert_error(403, "forbidden");
        let path = format!("{PATH}/{}", platform.seed.users.developer.guid);
        caller
            .patch(&path, &json!({"role": "admin"}))
            .await
            .assert_error(403, "forbidden");
        assert_eq!(caller.get(PATH).await.status, 200, "everybody reads");
        assert_eq!(caller.get(&path).await.status, 200);
    }
}

#[tokio::test]
async fn leak_9_an_admin_neither_demotes_nor_narrows_nor_disables_an_owner_and_nothing_changes() {
    let platform = Platform::start().await;
    let admin = Person::new(&platform, Role::Admin).await;
    let (other, developer) = (
        Person::new(&platform, Role::Owner).await,
        Person::new(&platform, Role::Developer).await,
    );
    let (organization, owner) = (platform.organization().await, platform.owner());
    let now = async || {
        (
            organization_snapshot(&platform, &organization, seed_organization(&platform)).await,
            owner.get(PATH).await.body,
        )
    };
    let before = now().await;
    for caller in [&admin.caller, &organization] {
        for body in [
            json!({"role": "viewer"}),
            json!({"allowed_scopes": ["banks:read"]}),
            json!({}),
        ] {
            caller
                .patch(&other.path(), &body)
                .await
                .assert_error(403, "forbidden");
        }
        caller
            .delete(&other.path())
            .await
            .assert_error(403, "forbidden");
        caller
            .patch(&developer.path(), &json!({"role": "owner"}))
            .await
            .assert_error(403, "forbidden");
    }
    organization
        .patch(&admin.path(), &json!({"role": "viewer"}))
        .await
        .assert_error(403, "forbidden");
    organization
        .delete(&admin.path())
        .await
        .assert_error(403, "forbidden");
    organization
        .patch(&developer.path(), &json!({"role": "admin"}))
        .await
        .assert_error(403, "forbidden");
    assert_eq!(now().await, before);
    assert_eq!(
        admin
            .caller
            .patch(&developer.path(), &json!({"role": "admin"}))
            .await
            .status,
        200
    );
    assert_eq!(
        owner
            .patch(&other.path(), &json!({"role": "viewer"}))
            .await
            .status,
        200
    );
    assert_eq!(
        admin.caller.delete(&other.path()).await.status,
        204,
        "no owner any more"
    );
}

#[tokio::test]
async fn cbm_1_nobody_raises_or_widens_themselves() {
    let platform = Platform::start().await;
    let (admin, owner) = (Person::new(&platform, Role::Admin).await, platform.owner());
    admin
        .caller
        .patch(&admin.path(), &json!({"role": "owner"}))
        .await
        .assert_error(403, "forbidden");
    let own =
        json!({"allowed_scopes": ["users:read", "users:write", "users:execute", "banks:read"]});
    assert_eq!(
        admin.caller.patch(&admin.path(), &own).await.status,
        200,
        "who narrows themselves may"
    );
    for wider in [
        json!({"allowed_scopes": null}),
        json!({"allowed_scopes": ["users:write", "banks:write"]}),
    ] {
        admin
            .caller
            .patch(&admin.path(), &wider)
            .await
            .assert_error(403, "insufficient_scope");
    }
    let body = |scopes: Value| json!({"email": "ada@example.com", "allowed_scopes": scopes});
    admin
        .caller
        .post(PATH, &body(Value::Null))
        .await
        .assert_error(403, "insufficient_scope");
    admin
        .caller
        .post(PATH, &body(json!(["banks:read", "accounts:read"])))
        .await
        .assert_error(403, "insufficient_scope");
    let made = admin.caller.post(PATH, &body(json!(["banks:read"]))).await;
    assert_eq!(made.status, 201, "{made:?}");
    let widened = json!({"allowed_scopes": ["banks:read", "accounts:read"]});
    admin
        .caller
        .patch(&item(&made.body), &widened)
        .await
        .assert_error(403, "insufficient_scope");
    let developer = Person::new(&platform, Role::Developer).await;
    assert_eq!(
        admin.caller.delete(&developer.path()).await.status,
        204,
        "to disable somebody confers nothing"
    );
    let demoted = admin
        .caller
        .patch(&admin.path(), &json!({"role": "viewer"}))
        .await;
    assert_eq!(demoted.status, 200, "{demoted:?}");
    admin
        .caller
        .patch(&admin.path(), &json!({"role": "admin"}))
        .await
        .assert_error(403, "forbidden");
    assert_eq!(
        owner
            .patch(
                &admin.path(),
                &json!({"role": "owner", "allowed_scopes": null})
            )
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn cyb_11_a_machine_confers_only_what_it_holds() {
    let platform = Platform::start().await;
    let scopes = "users:execute users:write banks:read organization_applications:read";
    let key = seed_organization_key(&platform, KeyMode::Sandbox, scopes).await;
    let machine = platform.bearer(&platform.token(&key).await);
    let body = |email: &str, role: &str, scopes: &[&str]| {
        json!({
            "email": email,
            "role": role,
            "allowed_scopes": scopes,
        })
    };
    let made = machine
        .post(
            PATH,
            &body(
                "a@example.com",
                "viewer",
                &["banks:read", "organization_applications:read"],
            ),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    // What its banks have by themselves it may delegate to them, and so on people too
    // (docs/requirements.md, Roles).
    assert_eq!(
        machine
            .post(PATH, &body("b@example.com", "viewer", &["accounts:read"]))
            .await
            .status,
        201
    );
    let wider = body("c@example.com", "viewer", &["users:read"]);
    machine
        .post(PATH, &wider)
        .await
        .assert_error(403, "insufficient_scope");
    machine
        .post(PATH, &json!({"email": "d@example.com"}))
        .await
        .assert_error(403, "insufficient_scope");
    let granted = body("e@example.com", "developer", &["bank_applications:execute"]);
    machine
        .post(PATH, &granted)
        .await
        .assert_error(403, "insufficient_scope");
    machine
        .patch(&item(&made.body), &json!({"allowed_scopes": null}))
        .await
        .assert_error(403, "insufficient_scope");
}
