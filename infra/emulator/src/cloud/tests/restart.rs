//! What a data directory keeps.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    streams::{Function, mapping, names, put},
    *,
};

/// The end of a wait that is in vain; no measure of speed.
const TIMEOUT: Duration = Duration::from_mins(2);

#[tokio::test]
async fn a_restart_finds_keys_secrets_and_items() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let cloud = start(Storage::Directory(data.clone())).await;
    let physical = provisioned(&cloud).await;
    let first = fingerprint(&cloud).await;
    put(&cloud, "A#1", 0..2).await;
    assert_eq!(mode(&data), 0o700);
    for file in ["services.json", "dynamodb.sqlite", "dynamodb.sqlite-wal"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    cloud.stop().await;

    let cloud = start(Storage::Directory(data)).await;
    assert_eq!(provisioned(&cloud).await, physical);
    assert_eq!(fingerprint(&cloud).await, first);
    let item = tables(&cloud)
        .get_item()
        .table_name("audit")
        .key("PK", AttributeValue::S("A#1".into()));
    assert!(
        item.key("SK", AttributeValue::S("001".into()))
            .send()
            .await
            .unwrap()
            .item
            .is_some()
    );
    cloud.stop().await;
}

/// The public key and the pepper.
async fn fingerprint(cloud: &Cloud) -> (Vec<u8>, String) {
    let key = kms(cloud)
        .get_public_key()
        .key_id("alias/latchkey-sandbox")
        .send()
        .await
        .unwrap();
    let pepper = secrets(cloud)
        .get_secret_value()
        .secret_id("Pepper")
        .send()
        .await
        .unwrap();
    (
        key.public_key.unwrap().into_inner(),
        pepper.secret_string.unwrap(),
    )
}

#[tokio::test]
async fn a_stream_goes_on_after_a_restart_where_it_was() {
    let home = tempfile::tempdir().unwrap();
    let storage = Storage::Directory(home.path().to_owned());
    let function = Function::default();

    let cloud = start(storage.clone()).await;
    let here = mapping(&cloud, json!({})).await;
    put(&cloud, "A#1", 0..5).await;
    let source = function.subscribe(&cloud, here.clone(), |_, _| Ok(Value::Null));
    source.drain_and_stop(TIMEOUT).await.unwrap();
    put(&cloud, "A#1", 5..9).await;
    cloud.stop().await;

    let cloud = start(storage).await;
    let again = mapping(&cloud, json!({})).await;
    assert_eq!(again.stream_arn, here.stream_arn);
    put(&cloud, "A#1", 9..11).await;
    let source = function.subscribe(&cloud, again.clone(), |_, _| Ok(Value::Null));
    source.drain_and_stop(TIMEOUT).await.unwrap();
    assert_eq!(function.seen(), names(0..11));

    let late = Function::default();
    let mut from_the_start = again;
    "Another".clone_into(&mut from_the_start.name);
    let source = late.subscribe(&cloud, from_the_start, |_, _| Ok(Value::Null));
    source.drain_and_stop(TIMEOUT).await.unwrap();
    assert_eq!(late.seen(), names(0..11));
    assert_eq!(mode(&home.path().join("streams.json")), 0o600);
    cloud.stop().await;
}

#[tokio::test]
async fn a_directory_serves_one_at_a_time() {
    let home = tempfile::tempdir().unwrap();
    let storage = Storage::Directory(home.path().to_owned());
    let cloud = start(storage.clone()).await;
    let second = Cloud::start(storage.clone(), Ports::default(), Hands::new().clock())
        .await
        .unwrap_err();
    assert!(
        second.to_string().contains("is in use by another Latchkey"),
        "{second}"
    );
    cloud.stop().await;
    start(storage).await.stop().await;
}

#[tokio::test]
async fn a_damaged_file_stops_the_start_and_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("services.json");
    std::fs::write(&file, "{\"keys\":").unwrap();
    let storage = Storage::Directory(home.path().to_owned());
    let error = Cloud::start(storage, Ports::default(), Hands::new().clock())
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("cannot read ")
            && error.to_string().contains("services.json"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{\"keys\":");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
