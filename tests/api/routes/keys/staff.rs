//! What the platform's own people see of customers' keys, and that they revoke at a recorded
//! request alone.

use domain::ids::Guid;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use super::{PATH, granted, item, make, of_bank, token};
use crate::{
    five_second_bound,
    management_keys::seed_organization,
    organization_snapshot::{appearance, column, organization_snapshot, text},
};

const HOOK: &str = "https://hooks.example.com/secret-path?token=1";
/// No organization's.
const NOBODY: &str = "11111111111111111111111111111111";

#[tokio::test]
async fn arz_7_staff_list_and_get_any_customers_keys_with_webhook_urls_masked() {
    let platform = Platform::start().await;
    let (owner, organization) = (platform.owner(), seed_organization(&platform));
    let key = make(
        &owner,
        &of_bank(&platform, &json!({"webhook_url": HOOK, "destination": "a"})),
    )
    .await;
    let (neighbour, neighbour_key, ..) = platform.neighbour().await;
    for staff in [platform.support(), platform.security()] {
        for path in [
            PATH,
            "/api/bank_applications",
            "/api/organization_applications",
        ] {
            assert_lists_one_organization(&staff, path).await;
            let ours = staff
                .get(&format!(
                    "{path}?organization_guid={organization}&per_page=100"
                ))
                .await;
            let theirs = staff
                .get(&format!(
                    "{path}?organization_guid={neighbour}&per_page=100"
                ))
                .await;
            assert!(!column(&ours, "client_id").contains(&neighbour_key.client_id));
            assert_eq!(
                column(&theirs, "client_id").contains(&neighbour_key.client_id),
                path != "/api/bank_applications"
            );
            assert!(!ours.text.contains("secret-path"), "{ours:?}");
        }
        let read = staff.get(&item(&key, "")).await;
        assert_eq!(
            (read.status, &read.body["webhook_url"]),
            (200, &json!("https://hooks.example.com/…"))
        );
        assert_eq!(read.body["destination"], "a");
        let filtered = format!(
            "{PATH}?organization_guid={organization}&state=active&bank_guid={}",
            platform.seed.bank.guid
        );
        let listed = staff.get(&filtered).await;
        assert!(
            listed.body["objects"]
                .as_array()
                .unwrap()
                .contains(&read.body),
            "{listed:?}"
        );
        for (path, status) in [
            ("/api/bank_applications", 200),
            ("/api/organization_applications", 404),
        ] {
            assert_eq!(
                staff
                    .get(&format!("{path}/{}", text(&key, "client_id")))
                    .await
                    .status,
                status
            );
        }
    }
    assert_eq!(owner.get(&item(&key, "")).await.body["webhook_url"], HOOK);
    owner
        .get(&format!("{PATH}?organization_guid={organization}"))
        .await
        .assert_field("organization_guid", "staff alone");
    let operations = platform.operations();
    operations
        .get(&format!("{PATH}?organization_guid={organization}"))
        .await
        .assert_error(403, "forbidden");
    operations
        .get(&item(&key, ""))
        .await
        .assert_error(403, "forbidden");

    // The platform's own people are security's business.
    let own = |guid: Guid| format!("{PATH}?organization_guid={guid}");
    let hidden = platform.support().get(&own(Guid::PLATFORM)).await;
    assert_eq!(
        appearance(&hidden),
        appearance(&platform.support().get(&own(NOBODY.parse().unwrap())).await)
    );
    assert_eq!(
        platform.security().get(&own(Guid::PLATFORM)).await.body["total"],
        3
    );
}

/// Asserts that staff must name an organization that exists.
async fn assert_lists_one_organization(staff: &Caller, path: &str) {
    staff
        .get(path)
        .await
        .assert_field("organization_guid", "is required of platform staff");
    staff
        .get(&format!("{path}?organization_guid=x"))
        .await
        .assert_field("organization_guid", "32 lower-case");
    staff
        .get(&format!("{path}?organization_guid={NOBODY}"))
        .await
        .assert_error(404, "not_found");
}

#[tokio::test]
async fn staff_revoke_at_a_recorded_request_and_do_nothing_else() {
    let platform = Platform::start().await;
    let (owner, organization) = (platform.owner(), seed_organization(&platform));
    for staff in [platform.support(), platform.security()] {
        let key = make(&owner, &of_bank(&platform, &json!({"webhook_url": HOOK}))).await;
        let bearer = platform.bearer(&granted(&token(&platform, &text(&key, "secret")).await));
        let all = platform.organization().await;
        let before = organization_snapshot(&platform, &all, organization).await;
        let revoke = item(&key, "/revoke");
        let without_body = Answer::of(staff.request(reqwest::Method::POST, &revoke)).await;
        for answer in [
            without_body,
            staff.post(&revoke, &json!({"reason": null})).await,
        ] {
            answer.assert_field("reason", "is required of platform staff");
        }
        for (reason, words) in [
            (json!(""), "1 to 512"),
            (json!(7), "must be a string"),
            (key["secret"].clone(), "secret"),
        ] {
            staff
                .post(&revoke, &json!({"reason": reason}))
                .await
                .assert_field("reason", words);
        }
        for (method, operation) in [
            ("DELETE", ""),
            ("PATCH", ""),
            ("POST", "/rotate"),
            ("POST", "/finish_rotation"),
            ("POST", "/deactivate"),
            ("POST", "/restore"),
        ] {
            let request = staff
                .request(method.parse().unwrap(), &item(&key, operation))
                .json(&json!({}));
            Answer::of(request).await.assert_error(403, "forbidden");
        }
        staff
            .post(PATH, &of_bank(&platform, &json!({})))
            .await
            .assert_error(403, "forbidden");
        staff
            .delete(&format!(
                "/api/bank_applications/{}",
                text(&key, "client_id")
            ))
            .await
            .assert_error(403, "forbidden");
        assert_eq!(
            organization_snapshot(&platform, &all, organization).await,
            before
        );

        let revoked = staff.post(&revoke, &json!({"reason": "ticket 4711"})).await;
        assert_eq!(
            (revoked.status, &revoked.body["state"]),
            (200, &json!("revoked")),
            "{revoked:?}"
        );
        assert_eq!(revoked.body["webhook_url"], "https://hooks.example.com/…");
        five_second_bound::die(&[&bearer]).await;
        let chain = platform
            .stack
            .services()
            .store()
            .unwrap()
            .audit_chain(organization)
            .await
            .unwrap();
        let mut events = chain
            .events
            .values()
            .filter(|event| event.contains("key.revoke") && event.contains("ticket 4711"));
        let event: Value = serde_json::from_str(events.next_back().unwrap()).unwrap();
        assert_eq!(
            (&event["reason"], &event["actor"]["type"]),
            (&json!("ticket 4711"), &json!("user")),
            "{event}"
        );
    }
    let operations = platform.operations();
    let key = make(&owner, &of_bank(&platform, &json!({}))).await;
    operations
        .post(&item(&key, "/revoke"), &json!({"reason": "r"}))
        .await
        .assert_error(403, "forbidden");
}
