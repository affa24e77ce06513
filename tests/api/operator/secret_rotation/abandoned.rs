//! What others do to a key and its secret while it is rotated.

use serde_json::json;
use tests::{Platform, rotator::event};

use super::{Scene, version};

impl Scene<'_> {
    /// Takes a step.
    async fn step(&self, step: &str, number: usize) -> Result<(), rotation::Failure> {
        self.function
            .handle(event(step, &self.rotator.arn, &version(number)))
            .await
    }
}

/// Two runs of one step minted, and the secret that was stored is the one that lost. The value of a
/// version cannot be changed, so this rotation comes to nothing; and it does not stand in the way
/// of the next.
#[tokio::test]
async fn leak_11_a_stored_secret_that_never_will_work_is_given_up() {
    let platform = Platform::start().await;
    for given_up_by in ["testSecret", "finishSecret"] {
        let scene = Scene::new(&platform).await;
        scene.rotator.start(&version(1)).await;
        scene.step("createSecret", 1).await.unwrap();
        let current = scene.rotator.value("AWSCURRENT").await;
        let body = json!({"client_secret": current["client_secret"]});
        let token = platform.anonymous().post("/v1/auth/token", &body).await;
        let caller = platform.bearer(token.body["access_token"].as_str().unwrap());
        assert_eq!(
            caller
                .post(&scene.path("/rotate"), &json!({"replace": true}))
                .await
                .status,
            200
        );
        let failure = scene.step(given_up_by, 1).await.unwrap_err().to_string();
        assert!(
            failure.contains("does not work, and was given up"),
            "{failure}"
        );
        scene.current_works(given_up_by).await;
        assert_eq!(scene.rotator.labelled("AWSPENDING").await, None);
        scene.rotate(&version(2)).await;
    }
}

/// Who finishes the function's rotation by hand ends the secret that is `AWSCURRENT`; the one that
/// was stored is not lost.
#[tokio::test]
async fn leak_11_a_rotation_that_an_administrator_finished_goes_on() {
    let platform = Platform::start().await;
    for taken in [1, 3] {
        for (last, same) in [(1, true), (2, false)] {
            let scene = Scene::new(&platform).await;
            scene.rotator.start(&version(1)).await;
            for step in tests::rotator::STEPS.into_iter().take(taken) {
                scene.step(step, 1).await.unwrap();
            }
            let finished = scene
                .admin()
                .await
                .post(&scene.path("/finish_rotation"), &json!({}))
                .await;
            assert_eq!(finished.status, 200, "{finished:?}");
            if !same {
                scene.rotator.abandon(&version(1)).await;
                scene.rotator.start(&version(last)).await;
            }
            // It was ended by hand: nothing works until the rotation has gone on.
            scene
                .rotator
                .complete(&scene.function, &version(last), async |_: &str| ())
                .await
                .unwrap();
            scene.is_rotated_to(&version(last)).await;
            scene.rotate(&version(3)).await;
        }
    }
}

/// Of a rotation that somebody else made, the function has no secret. It says so, and harms
/// nothing.
#[tokio::test]
async fn leak_11_a_key_that_somebody_else_rotated_is_left_alone() {
    let platform = Platform::start().await;
    let scene = Scene::new(&platform).await;
    scene.rotate(&version(1)).await;
    let admin = scene.admin().await;
    assert_eq!(
        admin
            .post(&scene.path("/finish_rotation"), &json!({}))
            .await
            .status,
        200
    );
    let theirs = admin
        .post(&scene.path("/rotate"), &json!({"grace_period": 3600}))
        .await;
    let before = scene.key().await;
    scene.rotator.start(&version(2)).await;
    for _ in 0..2 {
        let failure = scene
            .rotator
            .steps(&scene.function, &version(2), async |step: &str| {
                scene.current_works(step).await;
            })
            .await;
        let failure = failure.unwrap_err().to_string();
        assert!(
            failure.contains("store the newest secret as AWSCURRENT"),
            "{failure}"
        );
    }
    assert_eq!(scene.key().await, before);

    // What it asks for helps.
    let value = json!({
        "client_id": scene.client_id,
        "client_secret": theirs.body["secret"],
        "region": "eu",
    });
    let put = scene
        .rotator
        .client
        .put_secret_value()
        .secret_id(&scene.rotator.arn)
        .secret_string(value.to_string());
    put.send().await.unwrap();
    scene
        .rotator
        .complete(&scene.function, &version(2), async |step: &str| {
            scene.current_works(step).await;
        })
        .await
        .unwrap();
    scene.is_rotated_to(&version(2)).await;
}

/// An administrator rotated the key after the new secret was tested: it is on its way out, and does
/// not stay `AWSCURRENT`.
#[tokio::test]
async fn leak_11_a_secret_that_is_no_longer_the_newest_does_not_stay_current() {
    let platform = Platform::start().await;
    let scene = Scene::new(&platform).await;
    scene.rotator.start(&version(1)).await;
    for step in ["createSecret", "setSecret", "testSecret"] {
        scene.step(step, 1).await.unwrap();
    }
    let admin = scene.admin().await;
    assert_eq!(
        admin
            .post(&scene.path("/finish_rotation"), &json!({}))
            .await
            .status,
        200
    );
    let theirs = admin
        .post(&scene.path("/rotate"), &json!({"grace_period": 3600}))
        .await;
    let value = json!({
        "client_id": scene.client_id,
        "client_secret": theirs.body["secret"],
        "region": "eu",
    });
    let put = scene
        .rotator
        .client
        .put_secret_value()
        .secret_id(&scene.rotator.arn)
        .secret_string(value.to_string());
    let stored = put.send().await.unwrap();
    let failure = scene.step("finishSecret", 1).await.unwrap_err().to_string();
    assert!(failure.contains("no longer the key's newest"), "{failure}");
    assert_eq!(
        scene.rotator.labelled("AWSCURRENT").await.as_deref(),
        stored.version_id()
    );
    scene.current_works("finishSecret").await;
    scene.rotator.abandon(&version(1)).await;
    scene.rotate(&version(2)).await;
}

/// A late `finishSecret` of a rotation that is over does not end what is `AWSCURRENT` while the
/// next one is under way.
#[tokio::test]
async fn leak_11_a_late_finish_ends_nothing_that_is_current() {
    let platform = Platform::start().await;
    let scene = Scene::new(&platform).await;
    scene.rotate(&version(1)).await;
    scene.rotator.start(&version(2)).await;
    for step in ["createSecret", "testSecret"] {
        scene.step(step, 2).await.unwrap();
        let before = scene.key().await;
        scene.step("finishSecret", 1).await.unwrap();
        assert_eq!(scene.key().await.secrets, before.secrets, "{step}");
    }
    scene
        .rotator
        .complete(&scene.function, &version(2), async |step: &str| {
            scene.current_works(step).await;
        })
        .await
        .unwrap();
    scene.is_rotated_to(&version(2)).await;
}

/// Whoever puts another key into the secret while it is rotated keeps it.
#[tokio::test]
async fn leak_11_another_key_in_the_secret_is_not_overwritten() {
    let platform = Platform::start().await;
    let (scene, other) = (Scene::new(&platform).await, Scene::new(&platform).await);
    scene.rotator.start(&version(1)).await;
    scene.step("createSecret", 1).await.unwrap();
    let value = other.rotator.value("AWSCURRENT").await;
    let put = scene
        .rotator
        .client
        .put_secret_value()
        .secret_id(&scene.rotator.arn)
        .secret_string(value.to_string());
    put.send().await.unwrap();
    let failure = scene.step("finishSecret", 1).await.unwrap_err().to_string();
    assert!(failure.contains("of another key"), "{failure}");
    assert_eq!(scene.rotator.value("AWSCURRENT").await, value);
    scene.rotator.start(&version(2)).await;
    scene
        .rotator
        .complete(&scene.function, &version(2), async |step: &str| {
            scene.current_works(step).await;
        })
        .await
        .unwrap();
    assert_eq!(
        scene.rotator.value("AWSCURRENT").await["client_id"],
        value["client_id"]
    );
}
