//! What the function does not do.

use rotation::Failure;
use serde_json::{Value, json};
use tests::{
    Platform,
    rotator::{STEPS, event},
};

use super::{Scene, version};
use crate::five_second_bound::BOUND;

/// Asserts that nothing comes of an event, for a reason with these words, which trying again does
/// not help.
async fn refused(scene: &Scene<'_>, event: Value, words: &str) {
    let before = (scene.key().await, scene.rotator.stages().await.len());
    match scene.function.handle(event.clone()).await {
        Err(Failure::Final(sentence)) => assert!(sentence.contains(words), "{event}: {sentence}"),
        other => panic!("{event}: {other:?}"),
    }
    assert_eq!(
        (scene.key().await, scene.rotator.stages().await.len()),
        before,
        "{event}"
    );
}

#[tokio::test]
async fn leak_11_wrong_events_change_nothing() {
    let platform = Platform::start().await;
    let scene = Scene::new(&platform).await;
    let arn = scene.rotator.arn.clone();
    for step in STEPS {
        refused(
            &scene,
            event(step, &arn, &version(1)),
            "rotation is not enabled",
        )
        .await;
    }
    scene.rotator.start(&version(1)).await;
    for (event, words) in [
        (json!({}), "is not an event"),
        (Value::Null, "is not an event"),
        (event("dropSecret", &arn, &version(1)), "Step is none of"),
        (event("createSecret", "", &version(1)), "is not an event"),
        (
            event("createSecret", "another", &version(1)),
            "ResourceNotFoundException",
        ),
        (
            event("createSecret", &arn, &version(2)),
            "is not AWSPENDING",
        ),
        (
            event("finishSecret", &arn, &version(2)),
            "is not AWSPENDING",
        ),
        (
            event("finishSecret", &arn, &version(1)),
            "createSecret has stored none",
        ),
    ] {
        refused(&scene, event, words).await;
    }
    // As Secrets Manager does to test what was configured: there is no new secret then.
    scene
        .function
        .handle(event("testSecret", &arn, &version(1)))
        .await
        .unwrap();
    scene
        .function
        .handle(event("create_secret", &arn, &version(1)))
        .await
        .unwrap();
    scene
        .rotator
        .client
        .cancel_rotate_secret()
        .secret_id(&arn)
        .send()
        .await
        .unwrap();
    for step in STEPS {
        refused(
            &scene,
            event(step, &arn, &version(1)),
            "rotation is not enabled",
        )
        .await;
    }
    scene.current_works("all of that").await;
}

#[tokio::test]
async fn leak_11_a_key_that_is_stopped_is_not_rotated() {
    let platform = Platform::start().await;
    for stop in ["/revoke", "/deactivate"] {
        for (taken, next) in STEPS.into_iter().enumerate() {
            let scene = Scene::new(&platform).await;
            scene.rotator.start(&version(1)).await;
            for step in STEPS.into_iter().take(taken) {
                scene
                    .function
                    .handle(event(step, &scene.rotator.arn, &version(1)))
                    .await
                    .unwrap();
            }
            let stopped = scene
                .admin()
                .await
                .post(&scene.path(stop), &json!({}))
                .await;
            assert_eq!(stopped.status, 200, "{stopped:?}");
            let current = scene.rotator.value("AWSCURRENT").await;
            if taken != 1 {
                let words = if taken == 0 {
                    "does not work"
                } else {
                    "the key does not work"
                };
                refused(&scene, event(next, &scene.rotator.arn, &version(1)), words).await;
            }
            assert_eq!(scene.rotator.value("AWSCURRENT").await, current);
            if stop == "/deactivate" {
                assert_eq!(
                    scene
                        .admin()
                        .await
                        .post(&scene.path("/restore"), &json!({}))
                        .await
                        .status,
                    200
                );
                // An authorizer may have read the feed just before the key was restored.
                platform.advance(BOUND);
                let well = async |step: &str| scene.current_works(step).await;
                scene
                    .rotator
                    .complete(&scene.function, &version(1), well)
                    .await
                    .unwrap();
                scene.is_rotated_to(&version(1)).await;
            }
        }
    }
}

#[tokio::test]
async fn leak_11_a_value_that_is_no_key_is_refused_without_being_shown() {
    let platform = Platform::start().await;
    let scene = Scene::new(&platform).await;
    scene.rotator.start(&version(1)).await;
    for (value, words) in [
        ("hunter2", "no JSON object"),
        (r#"{"username": "hunter2"}"#, "has no client_id"),
        (
            r#"{"client_id": "../x", "client_secret": "hunter2"}"#,
            "client_id that is none",
        ),
        (
            r#"{"client_id": "x", "client_secret": "hunter2"}"#,
            "store the newest secret",
        ),
    ] {
        let put = scene
            .rotator
            .client
            .put_secret_value()
            .secret_id(&scene.rotator.arn)
            .secret_string(value);
        put.send().await.unwrap();
        refused(
            &scene,
            event("createSecret", &scene.rotator.arn, &version(1)),
            words,
        )
        .await;
        let failure = scene
            .function
            .handle(event("createSecret", &scene.rotator.arn, &version(1)))
            .await
            .unwrap_err();
        assert!(
            !format!("{failure} {failure:?}").contains("hunter2"),
            "{failure}"
        );
    }
}
