//! Gates: read together, changed by one write that no other change holds off.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use domain::{
    error::{Error, Kind},
    feed::{Cohort, Effect, Subject},
    gate::{Kyb, NextPlan, OrganizationGate, Plan},
    ids::Guid,
    key::{Effective, Owner},
    key_mode::KeyMode,
    role::Role,
};
use serde_json::json;

use super::{
    Scene, at,
    fixtures::{ORGANIZATION, beside, key, key_of, operator, user},
    table::{stage, stage_with},
};
use crate::StoreError;

fn cohort(from: u64, until: u64) -> Cohort {
    let second = |second| Some(at(Duration::from_secs(second)));
    Cohort {
        created_from: second(from),
        created_until: second(until),
        ..Cohort::default()
    }
}

async fn revoke(scene: &Scene, cohort: Cohort) -> Result<(), StoreError> {
    let revocations = scene
        .store
        .organization(ORGANIZATION)
        .await?
        .unwrap()
        .gate
        .revocations;
    scene
        .store
        .revoke_cohort(ORGANIZATION, &cohort, beside(&revocations), &operator())
        .await
}

#[tokio::test]
async fn the_gates_of_a_personal_key_are_one_batch_and_those_of_a_machine_one_item() {
    let (scene, _) = stage();
    let behalf = scene.with_person().await;
    scene.sent.lock().unwrap().clear();
    let gates = scene.store.gates(&behalf.key).await.unwrap();
    assert_eq!(
        (gates.organization.plan, &gates.user),
        (Plan::Pro, &Some(behalf.user))
    );
    assert_eq!(scene.store.gates(&key()).await.unwrap().user, None);
    let sent: Vec<_> = scene
        .sent
        .lock()
        .unwrap()
        .iter()
        .map(|sent| sent.operation.clone())
        .collect();
    assert_eq!(sent, ["BatchGetItem", "GetItem"]);
    let orphan = key_of(8, Owner::User(Guid::from_bytes([99; 16])), KeyMode::Live);
    assert_eq!(
        scene.store.gates(&orphan).await.unwrap().user,
        None,
        "nobody to act for"
    );
}

#[tokio::test]
async fn what_a_batch_left_unprocessed_is_read_again() {
    let left = AtomicI64::new(0);
    let (scene, _) = stage_with(move |table, sent, _| {
        if sent.operation != "BatchGetItem" || left.fetch_add(1, Ordering::SeqCst) != 0 {
            return None;
        }
        let (mut first, mut rest) = (sent.clone(), sent.body["RequestItems"]["core"].clone());
        let keys = rest["Keys"].as_array_mut().unwrap();
        first.body["RequestItems"]["core"]["Keys"] = json!([keys.remove(0)]);
        let (status, mut answer) = table.answer(&first);
        answer["UnprocessedKeys"] = json!({"core": rest});
        Some((status, answer))
    });
    let behalf = scene.with_person().await;
    assert_eq!(
        scene.store.gates(&behalf.key).await.unwrap().user,
        Some(behalf.user)
    );
}

#[tokio::test]
async fn cbm_2_a_plan_asks_readers_for_another_look_and_a_repetition_for_nothing() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    let store = &scene.store;
    let to = |plan, next_plan| {
        move |gate: &OrganizationGate| {
            Ok::<_, Error>(OrganizationGate {
                plan,
                next_plan,
                ..gate.clone()
            })
        }
    };
    assert_eq!(
        store
            .set_plan(ORGANIZATION, &operator(), to(Plan::Pro, None))
            .await
            .unwrap()
            .plan,
        Plan::Pro
    );
    store
        .set_plan(ORGANIZATION, &operator(), to(Plan::Pro, None))
        .await
        .unwrap();
    assert_eq!(table.feed(), ["refresh organization"]);
    let notice = NextPlan {
        plan: Plan::Starter,
        at: at(Duration::from_hours(1)),
    };
    store
        .set_plan(ORGANIZATION, &operator(), to(Plan::Pro, Some(notice)))
        .await
        .unwrap();
    assert_eq!(
        store
            .organization(ORGANIZATION)
            .await
            .unwrap()
            .unwrap()
            .gate
            .next_plan,
        Some(notice)
    );
    let refused = |_: &OrganizationGate| Err(Error::new(Kind::Forbidden, "no"));
    assert_eq!(
        store
            .set_plan(ORGANIZATION, &operator(), refused)
            .await
            .unwrap_err()
            .kind,
        Kind::Forbidden
    );
    let nowhere = store
        .set_plan(Guid::PLATFORM, &operator(), to(Plan::Pro, None))
        .await
        .unwrap_err();
    assert_eq!(nowhere.kind, Kind::NotFound);
    assert_eq!(table.feed().len(), 2);
}

/// Somebody else decides about the gate again and again: a suspension comes through, on top of what
/// they decided.
#[tokio::test]
async fn an_emergency_does_not_lose_against_other_decisions() {
    let others = AtomicI64::new(0);
    let (scene, table) = stage_with(move |table, sent, _| {
        if sent.outline().starts_with("Put G GATE, Put F")
            && others.fetch_add(1, Ordering::SeqCst) < 12
        {
            table.touch("G#", "GATE");
        }
        None
    });
    scene.with_key(&key()).await;
    scene
        .store
        .set_suspension(ORGANIZATION, true, &operator())
        .await
        .unwrap();
    let gate = table.item("G#", "GATE");
    assert_eq!(
        (&gate["suspended"], &gate["version"]),
        (&json!(true), &json!(13))
    );
    assert_eq!(
        table.statements()[0].1,
        Effect::Suspend { version: 13 },
        "the version that the change gave to the gate"
    );
    scene
        .store
        .set_kyb(ORGANIZATION, Kyb::Approved, &operator())
        .await
        .unwrap();
    assert_eq!(
        table.feed(),
        ["suspend organization", "resume organization"]
    );
    assert_eq!(
        scene
            .store
            .set_kyb(Guid::PLATFORM, Kyb::Approved, &operator())
            .await,
        Err(StoreError::NotFound)
    );
}

#[tokio::test]
async fn leak_8_a_cohort_is_one_entry_and_one_write_and_revokes_for_good() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    let everything = Cohort {
        created_until: Some(at(Duration::ZERO)),
        ..Cohort::default()
    };
    revoke(&scene, everything.clone()).await.unwrap();
    let sent = scene.transactions();
    assert_eq!(sent[0].outline(), "Put G GATE, Put F, Put A");
    let gates = scene.store.gates(&key()).await.unwrap();
    assert_eq!(key().effective(&gates, scene.now()), Effective::Revoked);
    assert_eq!(
        table.statements()[0],
        (
            Subject::Organization {
                guid: ORGANIZATION,
                cohort: everything.clone(),
            },
            Effect::Revoke
        )
    );
    assert_eq!(table.audit().last().unwrap()["action"], "incident.revoke");

    revoke(&scene, everything.clone()).await.unwrap();
    let within = Cohort {
        environment: Some(KeyMode::Live),
        ..everything
    };
    revoke(&scene, within).await.unwrap();
    assert!(
        scene.transactions().is_empty(),
        "it is revoked, and every reader knows"
    );
}

/// An incident's window is chosen past those that the gate has: one that was decided meanwhile may
/// have moved keys past it.
#[tokio::test]
async fn leak_8_an_incident_that_was_chosen_beside_others_is_chosen_anew() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    revoke(&scene, cohort(0, 5)).await.unwrap();
    let store = &scene.store;
    assert_eq!(
        store
            .revoke_cohort(ORGANIZATION, &cohort(10, 15), beside(&[]), &operator())
            .await,
        Err(StoreError::Changed)
    );
    store
        .revoke_cohort(ORGANIZATION, &cohort(0, 5), beside(&[]), &operator())
        .await
        .unwrap();
    assert_eq!(table.feed().len(), 1);
}

#[tokio::test]
async fn leak_8_a_gate_that_is_full_merges_or_says_so() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    for number in 0..200 {
        revoke(&scene, cohort(number * 10, number * 10 + 5))
            .await
            .unwrap();
    }
    let full = revoke(&scene, cohort(5000, 5001)).await;
    assert_eq!(full, Err(StoreError::CohortsFull));
    let told = Error::from(StoreError::CohortsFull);
    assert!(
        told.kind == Kind::LimitReached && told.message.contains("revocations"),
        "{told}"
    );
    assert!(table.item("G#", "GATE").to_string().len() < 40_000);
    let revocations = async || {
        scene
            .store
            .organization(ORGANIZATION)
            .await
            .unwrap()
            .unwrap()
            .gate
            .revocations
    };
    let whole = |until| Cohort {
        created_from: None,
        ..cohort(0, until)
    };
    revoke(&scene, whole(3)).await.unwrap();
    assert_eq!(
        revocations().await.len(),
        201,
        "an emergency is never refused"
    );
    revoke(&scene, cohort(0, 4000)).await.unwrap();
    assert_eq!(revocations().await, [whole(4000)]);
}

#[tokio::test]
async fn organizations_are_listed_for_staff_in_order_of_creation() {
    let (scene, _) = stage();
    let made: Vec<_> = [Guid::PLATFORM, ORGANIZATION, Guid::from_bytes([3; 16])].to_vec();
    for (number, guid) in made.iter().enumerate() {
        let created_at = at(Duration::from_secs(number as u64));
        let organization = domain::organization::Organization {
            created_at,
            ..super::fixtures::organization(*guid)
        };
        scene
            .store
            .create_organization(&organization, None, &operator())
            .await
            .unwrap();
    }
    assert_eq!(scene.store.organization_rows().await.unwrap(), made);
    let found = scene
        .store
        .organizations([made[2], Guid::from_bytes([99; 16]), made[0], made[2]])
        .await
        .unwrap();
    assert_eq!(
        found
            .iter()
            .map(|snapshot| snapshot.organization.guid)
            .collect::<Vec<_>>(),
        [made[2], made[0], made[2]]
    );
    // The platform's people are listed apart from its tenants.
    let staff = domain::user::User {
        organization: Guid::PLATFORM,
        ..user(1, Role::Security)
    };
    scene
        .store
        .create_user(&staff, None, &operator())
        .await
        .unwrap();
    assert_eq!(
        scene.store.user_rows(Guid::PLATFORM).await.unwrap().len(),
        1
    );
    assert_eq!(scene.store.organization_rows().await.unwrap().len(), 3);
}
