//! Keys that an incident revoked with others (LEAK-8): final, though their own states do not say
//! so.

use std::time::Duration;

use serde_json::{Value, json};
use tests::Platform;

use super::{PATH, granted, item, make, of_bank, rotate, token};
use crate::{
    five_second_bound,
    organization_snapshot::{column, text},
};

#[tokio::test]
async fn leak_8_a_key_that_was_revoked_with_others_is_revoked_everywhere() {
    let platform = Platform::start().await;
    let (owner, all) = (platform.owner(), platform.organization().await);
    let key = make(&all, &of_bank(&platform, &json!({}))).await;
    let stopped = make(&all, &of_bank(&platform, &json!({}))).await;
    rotate(&all, &key, &json!({"grace_period": null})).await;
    all.post(&item(&stopped, "/deactivate"), &Value::Null).await;
    let bearer = platform.bearer(&granted(&token(&platform, &text(&key, "secret")).await));
    let incident = json!({"bank_guid": platform.seed.bank.guid, "reason": "leaked"});
    let answer = owner.post("/api/incidents/revoke", &incident).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    five_second_bound::die(&[&bearer]).await;

    for key in [&key, &stopped] {
        let read = all.get(&item(key, "")).await;
        assert_eq!(
            (&read.body["state"], &read.body["secrets"]),
            (&json!("revoked"), &json!([]))
        );
        for (operation, words) in [
            ("/rotate", "be rotated"),
            ("/deactivate", "become deactivated"),
            ("/restore", "become active"),
        ] {
            let answer = all.post(&item(key, operation), &Value::Null).await;
            answer.assert_error(409, "conflict");
            assert!(
                answer
                    .text
                    .contains(&format!("The key is revoked and cannot {words}")),
                "{answer:?}"
            );
        }
        all.patch(&item(key, ""), &json!({"name": "undead"}))
            .await
            .assert_error(409, "conflict");
        let application = format!("/api/bank_applications/{}", text(key, "client_id"));
        all.get(&application).await.assert_error(404, "not_found");
        all.patch(&application, &json!({"name": "undead"}))
            .await
            .assert_error(404, "not_found");
        assert_eq!(
            all.delete(&application).await.status,
            204,
            "revoking again succeeds"
        );
        assert_eq!(
            all.post(&item(key, "/revoke"), &json!({})).await.body["state"],
            "revoked"
        );
    }
    let revoked = column(
        &all.get(&format!("{PATH}?state=revoked")).await,
        "client_id",
    );
    let expected = [
        &platform.seed.bank.key.client_id,
        &text(&key, "client_id"),
        &text(&stopped, "client_id"),
    ];
    assert_eq!(revoked.iter().collect::<Vec<_>>(), expected);
    assert_eq!(all.get("/api/bank_applications").await.body["total"], 0);
    assert_eq!(
        all.get(&format!("{PATH}?state=active&owner_type=bank"))
            .await
            .body["total"],
        0
    );

    // What is made after it works, and is listed.
    let new = make(&all, &of_bank(&platform, &json!({}))).await;
    assert_eq!(new["state"], "active");
    let application = json!({"name": "new", "bank_guid": platform.seed.bank.guid});
    assert_eq!(
        all.post("/api/bank_applications", &application)
            .await
            .status,
        201
    );
    granted(&token(&platform, &text(&new, "secret")).await);
    platform.advance(Duration::from_mins(1));
    let all = platform.organization().await;
    assert_eq!(all.get("/api/bank_applications").await.body["total"], 2);
}
