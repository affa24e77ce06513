//! Secrets Manager.

use std::collections::HashMap;

use aws_sdk_secretsmanager::{
    Client,
    operation::{
        rotate_secret::builders::RotateSecretFluentBuilder,
        update_secret_version_stage::builders::UpdateSecretVersionStageFluentBuilder,
    },
    primitives::Blob,
};

use super::*;

#[tokio::test]
async fn a_new_value_becomes_current_and_the_old_one_previous() {
    let cloud = start(Storage::Memory).await;
    let client = secrets(&cloud);
    let made = client
        .create_secret()
        .name("pepper")
        .secret_string("one")
        .send()
        .await
        .unwrap();
    let arn = made.arn().unwrap();
    assert!(
        arn.starts_with("arn:aws:secretsmanager:eu-west-1:000000000000:secret:pepper-"),
        "{arn}"
    );
    let second = client
        .put_secret_value()
        .secret_id("pepper")
        .secret_string("two")
        .send()
        .await
        .unwrap();
    client
        .put_secret_value()
        .secret_id(arn)
        .secret_string("three")
        .send()
        .await
        .unwrap();

    let value = |id: &str| client.get_secret_value().secret_id(id);
    for id in ["pepper", arn, &arn[..arn.len() - 7]] {
        let current = value(id).send().await.unwrap();
        assert_eq!(
            (current.secret_string(), current.version_stages()),
            (Some("three"), &["AWSCURRENT".to_owned()][..])
        );
        assert_eq!(current.created_date().unwrap().to_millis().unwrap(), NOW);
    }
    let previous = value("pepper")
        .version_stage("AWSPREVIOUS")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (previous.secret_string(), previous.version_id()),
        (Some("two"), second.version_id())
    );
    let described = client
        .describe_secret()
        .secret_id("pepper")
        .send()
        .await
        .unwrap();
    let stages = described.version_ids_to_stages().unwrap();
    let expected: HashMap<_, _> = [(
        second.version_id().unwrap().to_owned(),
        vec!["AWSPREVIOUS".to_owned()],
    )]
    .into();
    assert_eq!(stages.len(), 2);
    assert!(
        expected
            .iter()
            .all(|(id, labels)| stages.get(id) == Some(labels)),
        "{stages:?}"
    );
    cloud.stop().await;
}

#[tokio::test]
async fn a_pending_version_waits_beside_the_current_one() {
    let cloud = start(Storage::Memory).await;
    let client = secrets(&cloud);
    client
        .create_secret()
        .name("s")
        .secret_string("current")
        .send()
        .await
        .unwrap();
    let pending = client
        .put_secret_value()
        .secret_id("s")
        .secret_binary(Blob::new(b"\0next"))
        .version_stages("AWSPENDING");
    pending.send().await.unwrap();
    let value = |stage: &str| {
        client
            .get_secret_value()
            .secret_id("s")
            .version_stage(stage)
    };
    assert_eq!(
        value("AWSCURRENT").send().await.unwrap().secret_string(),
        Some("current")
    );
    assert_eq!(
        value("AWSPENDING").send().await.unwrap().secret_binary(),
        Some(&Blob::new(b"\0next"))
    );
    let none = value("AWSPREVIOUS").send().await.unwrap_err();
    assert!(
        none.as_service_error()
            .unwrap()
            .is_resource_not_found_exception()
    );
    cloud.stop().await;
}

#[tokio::test]
async fn a_retry_answers_the_same_and_a_conflict_is_refused() {
    let cloud = start(Storage::Memory).await;
    let client = secrets(&cloud);
    let token = "t".repeat(32);
    let create = |value: &str| {
        client
            .create_secret()
            .name("s")
            .secret_string(value)
            .client_request_token(&token)
    };
    let (first, again) = (
        create("v").send().await.unwrap(),
        create("v").send().await.unwrap(),
    );
    assert_eq!(
        (first.arn(), first.version_id()),
        (again.arn(), Some(token.as_str()))
    );
    let other = create("w").send().await.unwrap_err();
    assert!(
        other
            .as_service_error()
            .unwrap()
            .is_resource_exists_exception()
    );
    let put = client
        .put_secret_value()
        .secret_id("s")
        .secret_string("w")
        .client_request_token(&token);
    assert!(
        put.send()
            .await
            .unwrap_err()
            .as_service_error()
            .unwrap()
            .is_resource_exists_exception()
    );
    cloud.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let cloud = start(Storage::Memory).await;
    let client = secrets(&cloud);
    let missing = client
        .get_secret_value()
        .secret_id("none")
        .send()
        .await
        .unwrap_err();
    assert!(
        missing
            .as_service_error()
            .unwrap()
            .is_resource_not_found_exception()
    );
    let missing = client
        .put_secret_value()
        .secret_id("none")
        .secret_string("x")
        .send()
        .await
        .unwrap_err();
    assert!(
        missing
            .as_service_error()
            .unwrap()
            .is_resource_not_found_exception()
    );
    client.create_secret().name("empty").send().await.unwrap();
    let missing = client
        .get_secret_value()
        .secret_id("empty")
        .send()
        .await
        .unwrap_err();
    assert!(
        missing
            .as_service_error()
            .unwrap()
            .is_resource_not_found_exception()
    );
    cloud.stop().await;
}

/// `AWSCURRENT` and the rest, by version.
async fn stages(client: &Client) -> HashMap<String, Vec<String>> {
    client
        .describe_secret()
        .secret_id("s")
        .send()
        .await
        .unwrap()
        .version_ids_to_stages()
        .cloned()
        .unwrap_or_default()
}

/// Deviation: rotation-not-carried-out, unlabelled-versions, rotation-labels.
#[tokio::test]
async fn a_rotation_starts_with_an_empty_pending_version_and_ends_with_a_moved_label() {
    let cloud = start(Storage::Memory).await;
    let client = secrets(&cloud);
    let made = client
        .create_secret()
        .name("s")
        .secret_string("one")
        .send()
        .await
        .unwrap();
    let (first, new) = (made.version_id().unwrap(), "n".repeat(32));
    start_rotation(&client, first, &new).await;
    put_pending_value(&client, &new).await;
    move_current_label(&client, first, &new).await;
    let mut labels = stages(&client).await;
    assert_eq!(labels.remove(first).unwrap(), ["AWSPREVIOUS"]);
    assert_eq!(
        labels.remove(&new).unwrap(),
        ["AWSCURRENT", "AWSPENDING", "MINE"]
    );

    // Pending where it is current is no rotation under way.
    rotate(&client, &"o".repeat(32)).send().await.unwrap();
    relabel(&client, "AWSPENDING")
        .remove_from_version_id("o".repeat(32))
        .send()
        .await
        .unwrap();
    assert_eq!(
        stages(&client).await.len(),
        2,
        "a version without a label is gone"
    );
    client
        .cancel_rotate_secret()
        .secret_id("s")
        .send()
        .await
        .unwrap();
    assert_eq!(rotation_enabled(&client).await, Some(false));
    cloud.stop().await;
}

fn rotate(client: &Client, token: &str) -> RotateSecretFluentBuilder {
    client
        .rotate_secret()
        .secret_id("s")
        .client_request_token(token)
}

fn relabel(client: &Client, stage: &str) -> UpdateSecretVersionStageFluentBuilder {
    client
        .update_secret_version_stage()
        .secret_id("s")
        .version_stage(stage)
}

async fn rotation_enabled(client: &Client) -> Option<bool> {
    client
        .describe_secret()
        .secret_id("s")
        .send()
        .await
        .unwrap()
        .rotation_enabled()
}

/// Starts a rotation, which needs a function, may be repeated, and excludes another one.
async fn start_rotation(client: &Client, first: &str, new: &str) {
    assert_eq!(rotation_enabled(client).await, None);
    let refused = rotate(client, new).send().await.unwrap_err();
    assert!(
        refused
            .as_service_error()
            .unwrap()
            .is_invalid_request_exception(),
        "no function"
    );
    for _ in 0..2 {
        let function = "arn:aws:lambda:eu-west-1:000000000000:function:rotation";
        rotate(client, new)
            .rotation_lambda_arn(function)
            .send()
            .await
            .unwrap();
    }
    assert_eq!(rotation_enabled(client).await, Some(true));
    assert_eq!(
        stages(client).await,
        [
            (first.to_owned(), vec!["AWSCURRENT".into()]),
            (new.to_owned(), vec!["AWSPENDING".into()])
        ]
        .into()
    );
    let empty = client
        .get_secret_value()
        .secret_id("s")
        .version_id(new)
        .send()
        .await
        .unwrap_err();
    assert!(
        empty
            .as_service_error()
            .unwrap()
            .is_resource_not_found_exception()
    );
    let other = rotate(client, &"o".repeat(32)).send().await.unwrap_err();
    assert!(
        other.to_string().contains("service error")
            && other
                .as_service_error()
                .unwrap()
                .is_invalid_request_exception()
    );
}

/// Gives the pending version its value, which may be repeated and not changed.
async fn put_pending_value(client: &Client, new: &str) {
    let put = |value: &str| {
        let put = client
            .put_secret_value()
            .secret_id("s")
            .client_request_token(new)
            .secret_string(value);
        put.version_stages("AWSPENDING").version_stages("MINE")
    };
    for _ in 0..2 {
        put("two").send().await.unwrap();
    }
    assert!(
        put("three")
            .send()
            .await
            .unwrap_err()
            .as_service_error()
            .unwrap()
            .is_resource_exists_exception()
    );
}

/// Moves `AWSCURRENT`, which needs both the version that has it and one that exists.
async fn move_current_label(client: &Client, first: &str, new: &str) {
    let relabel = || relabel(client, "AWSCURRENT");
    for wrong in [
        relabel(),
        relabel().move_to_version_id(new),
        relabel()
            .remove_from_version_id(new)
            .move_to_version_id(new),
        relabel().remove_from_version_id(first),
    ] {
        assert!(
            wrong
                .send()
                .await
                .unwrap_err()
                .as_service_error()
                .unwrap()
                .is_invalid_parameter_exception()
        );
    }
    let nowhere = relabel()
        .remove_from_version_id(first)
        .move_to_version_id("x".repeat(32));
    assert!(
        nowhere
            .send()
            .await
            .unwrap_err()
            .as_service_error()
            .unwrap()
            .is_resource_not_found_exception()
    );
    relabel()
        .remove_from_version_id(first)
        .move_to_version_id(new)
        .send()
        .await
        .unwrap();
}
