//! What a caller delegates does not outlive the moment at which the caller was stopped.

mod last_moment;

use std::time::Duration;

use domain::{
    audit::Action,
    authority::Authorized,
    feed::Cohort,
    gate::{Kyb, NextPlan, OrganizationGate, Plan},
    key::{Key, Owner},
    key_mode::KeyMode,
    role::Role,
    user::{User, UserState},
};

use super::{
    Scene, at,
    fixtures::{ORGANIZATION, bank, beside, key_of, operator},
    table::stage,
};
use crate::{CallerSnapshot, StoreError};

async fn create(scene: &Scene, behalf: &CallerSnapshot) -> Result<(), StoreError> {
    scene
        .store
        .on_behalf_of(behalf)
        .create_bank(&bank(3), None, &operator())
        .await
}

#[tokio::test]
async fn a_change_checks_the_key_its_gate_and_its_user_as_they_were_found() {
    let (scene, _) = stage();
    let person = scene.with_person().await;
    let behalf = scene.snapshot(&person.key).await.unwrap();
    create(&scene, &behalf).await.unwrap();
    let sent = scene.transactions();
    assert_eq!(
        sent[0].outline(),
        "Put G GATE, Put L bank, Update L COUNT, Put A, ConditionCheck K KEY, ConditionCheck G \
         GATE, ConditionCheck U USER"
    );
    let checks: Vec<_> = sent[0].items().into_iter().skip(4).collect();
    assert!(
        checks
            .iter()
            .all(|check| check.condition() == "version = :version")
    );
    let versions: Vec<_> = checks
        .iter()
        .map(|check| check.body["ExpressionAttributeValues"][":version"]["N"].clone())
        .collect();
    assert_eq!(versions, ["0", "1", "0"]);
}

fn store(scene: &Scene) -> &crate::Store {
    &scene.store
}

/// Every way in which a person's authority ends, found before the commit.
#[tokio::test]
async fn a_caller_that_was_stopped_changes_nothing() {
    for stop in 0..6 {
        let (scene, table) = stage();
        let person = scene.with_person().await;
        let behalf = scene.snapshot(&person.key).await.unwrap();
        // Another owner, since the last one stays.
        store(&scene)
            .create_user(&super::fixtures::user(2, Role::Owner), None, &operator())
            .await
            .unwrap();
        let user = person.user.clone();
        let starter = |at| {
            move |gate: &OrganizationGate| {
                Ok(OrganizationGate {
                    next_plan: Some(NextPlan {
                        plan: Plan::Starter,
                        at,
                    }),
                    ..gate.clone()
                })
            }
        };
        match stop {
            0 => store(&scene)
                .revoke(&person.key, &operator())
                .await
                .unwrap(),
            1 => store(&scene)
                .set_suspension(ORGANIZATION, true, &operator())
                .await
                .unwrap(),
            2 => store(&scene)
                .revoke_cohort(
                    ORGANIZATION,
                    &Cohort {
                        owner: Some(user.guid),
                        ..Cohort::default()
                    },
                    beside(&[]),
                    &operator(),
                )
                .await
                .unwrap(),
            3 => drop(
                store(&scene)
                    .set_plan(ORGANIZATION, &operator(), starter(at(Duration::ZERO)))
                    .await
                    .unwrap(),
            ),
            4 => drop(
                store(&scene)
                    .change_user(user.guid, Action::UserDisable, &operator(), |user| {
                        Ok(User {
                            state: UserState::Disabled,
                            version: user.version + 1,
                            ..user
                        })
                    })
                    .await
                    .unwrap(),
            ),
            _ => {
                let end = Some(at(Duration::from_secs(1)));
                let edit = |key: Authorized<'_>| {
                    let key = key.key().clone();
                    Ok(Key {
                        expires_at: end,
                        version: key.version + 1,
                        ..key
                    })
                };
                store(&scene)
                    .change(person.key.client_id, &operator(), edit)
                    .await
                    .unwrap();
                scene.wait(Duration::from_secs(1));
            }
        }
        drop(scene.transactions());
        assert_eq!(
            create(&scene, &behalf).await,
            Err(StoreError::CallerStopped),
            "{stop}"
        );
        assert!(table.items("core", "G#0303").is_empty(), "{stop}");
        let told = scene.snapshot(&person.key).await.unwrap_err().kind;
        let expected = if stop == 3 {
            domain::error::Kind::PlanUpgradeRequired
        } else {
            domain::error::Kind::AuthenticationFailed
        };
        assert_eq!(told, expected, "{stop}");
    }
}

#[tokio::test]
async fn a_plan_whose_end_is_to_come_stops_nobody_yet() {
    let (scene, _) = stage();
    let person = scene.with_person().await;
    let behalf = scene.snapshot(&person.key).await.unwrap();
    let notice = NextPlan {
        plan: Plan::Starter,
        at: at(Duration::from_hours(1)),
    };
    let notify = |gate: &OrganizationGate| {
        Ok(OrganizationGate {
            next_plan: Some(notice),
            ..gate.clone()
        })
    };
    scene
        .store
        .set_plan(ORGANIZATION, &operator(), notify)
        .await
        .unwrap();
    create(&scene, &behalf).await.unwrap();
}

#[tokio::test]
async fn arz_3_a_live_machine_needs_kyb_and_a_sandbox_one_does_not() {
    for (kind, kyb, expected) in [
        (KeyMode::Sandbox, Kyb::Pending, Ok(())),
        (KeyMode::Live, Kyb::Pending, Err(StoreError::CallerStopped)),
        (KeyMode::Live, Kyb::Approved, Ok(())),
    ] {
        let (scene, _) = stage();
        let key = key_of(8, Owner::Organization(ORGANIZATION), kind);
        scene.with_key(&key).await;
        scene
            .store
            .set_kyb(ORGANIZATION, kyb, &operator())
            .await
            .unwrap();
        let made = match scene.snapshot(&key).await {
            Ok(caller) => create(&scene, &caller).await,
            Err(_) => Err(StoreError::CallerStopped),
        };
        assert_eq!(made, expected, "{kind} {kyb:?}");
    }
}
