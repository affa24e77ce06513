//! Revocation by when keys were made (LEAK-8).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tests::{Platform, platform::credentials, wait};

use super::{client_ids, counts, dry_run, revoke};
use crate::{
    management_keys::seed_organization,
    organization_snapshot::{column, text},
    people::{Person, events},
};

/// A key of the seed bank, as its creation showed it.
async fn made(platform: &Platform) -> Value {
    let body = json!({"name": "made", "bank_guid": platform.seed.bank.guid});
    let answer = platform
        .organization()
        .await
        .post("/api/bank_applications", &body)
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body
}

async fn works(platform: &Platform, key: &Value) -> bool {
    platform
        .request_token(&credentials(key), platform.anonymous())
        .await
        .status
        == 200
}

#[tokio::test]
async fn leak_8_a_window_begins_inclusive_and_ends_exclusive() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let owner = platform.owner();
    let mut keys = Vec::new();
    for _ in 0..4 {
        platform.advance(Duration::from_hours(1));
        keys.push(made(&platform).await);
    }
    platform.advance(Duration::from_hours(1));
    let window =
        json!({"created_from": keys[1]["created_at"], "created_until": keys[3]["created_at"]});
    let dry = dry_run(&platform, &owner, &window).await;
    assert_eq!(
        client_ids(&dry),
        [text(&keys[1], "client_id"), text(&keys[2], "client_id")]
    );
    assert_eq!(
        (
            &dry["cohort"]["created_from"],
            &dry["cohort"]["created_until"]
        ),
        (&keys[1]["created_at"], &keys[3]["created_at"])
    );
    let of_a_bank =
        json!({"bank_guid": platform.seed.bank.guid, "created_until": keys[0]["created_at"]});
    assert_eq!(
        client_ids(&dry_run(&platform, &owner, &of_a_bank).await),
        vec![platform.seed.bank.key.client_id.clone()]
    );
    let done = revoke(&owner, &window).await;
    assert_eq!(
        (done.status, counts(&done.body)),
        (200, counts(&dry)),
        "{done:?}"
    );
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(
            works(&platform, key).await,
            matches!(index, 0 | 3),
            "{index}"
        );
    }
    assert_eq!(owner.get("/api/banks").await.status, 200);
}

#[tokio::test]
async fn leak_8_whatever_end_is_asked_for_no_key_of_today_escapes_and_none_of_after_dies() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    for (round, until) in [None, Some("2999-01-01T00:00:00Z"), None]
        .into_iter()
        .enumerate()
    {
        let before = [made(&platform).await, made(&platform).await];
        let mut order = json!({"bank_guid": platform.seed.bank.guid});
        if let Some(until) = until {
            order["created_until"] = json!(until);
        }
        let done = revoke(&owner, &order).await;
        assert_eq!(done.status, 200, "{done:?}");
        let end = text(&done.body["cohort"], "created_until");
        let after = [made(&platform).await, made(&platform).await];
        for key in &before {
            assert!(!works(&platform, key).await, "round {round}: {key}");
        }
        for key in &after {
            assert!(works(&platform, key).await, "round {round}: {key}");
            assert!(text(key, "created_at") >= end, "it counts as made after");
        }
        platform.advance(Duration::from_secs(1));
    }
    platform.advance(Duration::from_mins(1));
    let later = made(&platform).await;
    assert!(works(&platform, &later).await);
    let listed = column(&owner.get("/api/bank_applications").await, "client_id");
    assert_eq!(
        listed.last(),
        Some(&text(&later, "client_id")),
        "keys stay in the order of their creation"
    );
    assert_eq!(
        events(&platform, seed_organization(&platform), "incident.revoke")
            .await
            .len(),
        3
    );
}

/// However an incident and the creations of keys race, what was there when it was answered is dead,
/// and what an answer shows that was begun after is alive.
#[tokio::test]
async fn leak_8_one_serial_order_explains_an_incident_among_creations() {
    let platform = Arc::new(Platform::start().await);
    let admin = Person::new(&platform, domain::role::Role::Admin).await;
    let (count, is_answered) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let makers: Vec<_> = (0..4)
        .map(|_| {
            let (caller, body) = (
                admin.caller.clone(),
                json!({"name": "made", "bank_guid": platform.seed.bank.guid}),
            );
            let (count, is_answered) = (count.clone(), is_answered.clone());
            tokio::spawn(async move {
                let (mut made, mut after) = (Vec::new(), 0);
                // Each goes on until it has made some after the incident's answer.
                while after < 5 {
                    let is_after = is_answered.load(Ordering::SeqCst);
                    let answer = caller.post("/api/bank_applications", &body).await;
                    assert!(matches!(answer.status, 201 | 503), "{answer:?}");
                    if answer.status == 201 {
                        made.push(answer.body);
                        after += usize::from(is_after);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                }
                made
            })
        })
        .collect();
    wait::until("some keys are made", async || {
        count.load(Ordering::SeqCst) >= 12
    })
    .await;
    let owner = platform.owner();
    let done = revoke(&owner, &json!({"bank_guid": platform.seed.bank.guid})).await;
    assert_eq!(done.status, 200, "{done:?}");
    is_answered.store(true, Ordering::SeqCst);
    let after = made(&platform).await;
    let end = text(&done.body["cohort"], "created_until");
    let (mut dead, mut alive) = (0, 0);
    for maker in makers {
        for key in maker.await.unwrap() {
            let works = works(&platform, &key).await;
            assert_eq!(works, text(&key, "created_at") >= end, "{key}");
            *(if works { &mut alive } else { &mut dead }) += 1;
        }
    }
    assert!(works(&platform, &after).await);
    assert!(
        dead > 0 && alive > 0,
        "the race took place: {dead} dead, {alive} alive"
    );
}

/// Two incidents at once: both stand, and each key that is made after both is alive.
#[tokio::test]
async fn leak_8_incidents_that_meet_both_stand() {
    let platform = Platform::start().await;
    let (owner, security) = (platform.owner(), platform.security());
    let before = made(&platform).await;
    let bank = json!({"bank_guid": platform.seed.bank.guid});
    let developer = json!({
        "user_guid": platform.seed.users.developer.guid,
        "organization_guid": platform.seed.organization.guid,
    });
    let (one, two) = tokio::join!(revoke(&owner, &bank), revoke(&security, &developer));
    assert_eq!((one.status, two.status), (200, 200), "{one:?} {two:?}");
    assert!(!works(&platform, &before).await);
    crate::people::felt(
        "a user's",
        async || platform.developer().get("/api/banks").await,
        (401, "authentication_failed"),
    )
    .await;
    assert!(works(&platform, &made(&platform).await).await);
    let ends = [&one, &two].map(|answer| text(&answer.body["cohort"], "created_until"));
    assert_ne!(ends[0], ends[1], "the second was chosen beside the first");
}
