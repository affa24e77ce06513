//! Which role does what to whose key (docs/requirements.md, Roles; `operations.csv`).

use domain::{
    gate::Kyb,
    key_mode::{BankEnvironment, KeyMode},
    operation::{Operation, Reach},
    role::Role,
    scope::Catalogue,
};
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use super::{PATH, Person, body, item, make, of_bank, of_organization};
use crate::{
    management_keys::seed_organization,
    organization_snapshot::{organization_snapshot, text},
};

/// Every operation on one key, in an order in which each succeeds on the same key, with its row in
/// the table.
const OPERATIONS: [(&str, &str, Operation); 8] = [
    ("GET", "", Operation::ReadKey),
    ("PATCH", "", Operation::UpdateKey),
    ("POST", "/rotate", Operation::RotateKey),
    ("POST", "/finish_rotation", Operation::FinishRotation),
    ("POST", "/deactivate", Operation::DeactivateKey),
    ("POST", "/restore", Operation::RestoreKey),
    ("POST", "/revoke", Operation::RevokeKey),
    ("DELETE", "", Operation::DeleteKey),
];

async fn send(caller: &Caller, method: &str, key: &Value, operation: &str) -> Answer {
    let request = caller.request(method.parse().unwrap(), &item(key, operation));
    Answer::of(if method == "PATCH" {
        request.json(&json!({"name": "renamed"}))
    } else {
        request
    })
    .await
}

/// What each role does to a sandbox key of a bank, of the organization, and to its own and somebody
/// else's personal key.
#[tokio::test]
async fn every_role_does_to_sandbox_keys_what_the_table_says() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let catalogue = Catalogue::default();
    for role in [Role::Viewer, Role::Developer, Role::Admin, Role::Owner] {
        let person = Person::new(&platform, role, KeyMode::Sandbox).await;
        let other = Person::new(&platform, Role::Viewer, KeyMode::Sandbox).await;
        let own = body("user", &person.guid(), &json!({}));
        for (name, body, personal) in [
            (
                "bank",
                of_bank(&platform, &json!({"scopes": ["banks:read"]})),
                None,
            ),
            (
                "organization",
                of_organization(&platform, &json!({"scopes": ["banks:read"]})),
                None,
            ),
            ("own", own, Some(true)),
            (
                "other's",
                super::body("user", &other.guid(), &json!({})),
                Some(false),
            ),
        ] {
            let key = make(&owner, &body).await;
            for (method, operation, row) in OPERATIONS {
                let reach = row
                    .rule()
                    .reach(Some(role), &role.scopes(&catalogue, KeyMode::Sandbox))
                    .ok();
                let may = match reach {
                    // The key that calls is none of these.
                    None | Some(Reach::Itself) => false,
                    Some(Reach::Own) => personal == Some(true),
                    Some(Reach::Sandbox) => personal != Some(false),
                    Some(Reach::All) => true,
                };
                let answer = send(&person.caller, method, &key, operation).await;
                if may {
                    assert!(
                        matches!(answer.status, 200 | 204),
                        "{role} {method} {operation} of {name}: {answer:?}"
                    );
                } else {
                    answer.assert_error(403, "forbidden");
                }
            }
        }
    }
}

/// Of live keys of the organization and its banks a developer reads, and makes none.
#[tokio::test]
async fn a_developer_only_reads_live_keys_of_others_and_manages_own_ones() {
    let platform = Platform::start().await;
    let organization = seed_organization(&platform);
    let (production, production_key) = platform
        .operator()
        .bank(organization, "Production", BankEnvironment::Production)
        .await
        .unwrap();
    platform
        .operator()
        .kyb(organization, Kyb::Approved)
        .await
        .unwrap();
    let developer = Person::new(&platform, Role::Developer, KeyMode::Live).await;
    let key = json!({"client_id": production_key.client_id});
    let all = platform.organization().await;
    let before = organization_snapshot(&platform, &all, organization).await;
    for (method, operation, row) in OPERATIONS {
        let answer = send(&developer.caller, method, &key, operation).await;
        match row {
            Operation::ReadKey => assert_eq!(answer.status, 200, "{answer:?}"),
            _ => drop(answer.assert_error(403, "insufficient_scope")),
        }
    }
    let made = developer
        .caller
        .post(PATH, &body("bank", &production.to_string(), &json!({})))
        .await;
    made.assert_error(403, "insufficient_scope");
    assert_eq!(
        organization_snapshot(&platform, &all, organization).await,
        before
    );
    let own = make(
        &developer.caller,
        &body("user", &developer.guid(), &json!({})),
    )
    .await;
    assert_eq!(own["environment"], "live");
    for (method, operation, _) in OPERATIONS {
        let answer = send(&developer.caller, method, &own, operation).await;
        assert!(
            matches!(answer.status, 200 | 204),
            "{method} {operation}: {answer:?}"
        );
    }
}

/// The routes of CYB-3 are open to people too: theirs is their organization.
#[tokio::test]
async fn cyb_3_people_use_the_applications_routes_by_their_roles() {
    let platform = Platform::start().await;
    let (owner, developer, viewer) = (platform.owner(), platform.developer(), platform.viewer());
    for (path, required) in [
        (
            "/api/bank_applications",
            json!({"name": "key", "bank_guid": platform.seed.bank.guid}),
        ),
        ("/api/organization_applications", json!({"name": "key"})),
    ] {
        viewer
            .post(path, &required)
            .await
            .assert_error(403, "forbidden");
        for caller in [&owner, &developer] {
            let made = caller.post(path, &required).await;
            assert_eq!(made.status, 201, "{made:?}");
            let one = format!("{path}/{}", text(&made.body, "client_id"));
            assert_eq!(viewer.get(&one).await.status, 200);
            viewer
                .patch(&one, &json!({"name": "n"}))
                .await
                .assert_error(403, "forbidden");
            viewer.delete(&one).await.assert_error(403, "forbidden");
            assert_eq!(
                caller.patch(&one, &json!({"name": "n"})).await.body["name"],
                "n"
            );
            assert_eq!(caller.delete(&one).await.status, 204);
            viewer.get(&one).await.assert_error(404, "not_found");
        }
        assert_eq!(viewer.get(path).await.body["total"], 1, "the seed's");
    }
    owner
        .post("/api/bank_applications", &json!({"name": "key"}))
        .await
        .assert_field("bank_guid", "is required");
}
