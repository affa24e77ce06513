//! Cold starts by segments (CBM-4): a new authorizer instance knows of every revocation without
//! reading the entry of each.

use std::{collections::HashMap, time::Duration};

use authorizer::Authorizer;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use runtime::Env;
use serde_json::{Value, json};
use tests::{Platform, platform::credentials, wait};

use crate::authorizer_processes::{effect, event};

const AUTHORIZER: &str = "SampleAuthorizerFunction";
const COMPACTOR: &str = "CompactorFunction";

/// A new instance of the sample API's authorizer.
pub(super) async fn cold_authorizer(platform: &Platform) -> Authorizer {
    let services = platform.stack.services();
    let variables = services.description().functions[AUTHORIZER]
        .environment
        .clone();
    let ambient = services.ambient_of(AUTHORIZER).unwrap();
    authorizer::start(&Env::from_map(variables), &ambient)
        .await
        .unwrap()
}

pub(super) async fn answer(authorizer: &Authorizer, token: &str) -> String {
    effect(
        &authorizer::handle(authorizer, event(token))
            .await
            .map_err(|error| error.to_string()),
    )
}

/// Runs a compactor beside the one that the stack's schedule runs, until there is a segment.
pub(super) async fn compact(platform: &Platform) {
    let services = platform.stack.services();
    let variables = services.description().functions[COMPACTOR]
        .environment
        .clone();
    let ambient = services.ambient_of(COMPACTOR).unwrap();
    let compactor = compactor::start(&Env::from_map(variables), &ambient).unwrap();
    wait::until("a segment", async || {
        let answer = compactor::run(&compactor).await.unwrap();
        answer["newest_end"] != Value::Null
    })
    .await;
}

struct FeedTable {
    client: Client,
    name: String,
}

impl FeedTable {
    fn of(platform: &Platform) -> Self {
        let services = platform.stack.services();
        Self {
            client: Client::new(&services.ambient().aws),
            name: services.variables("tokens")["LATCHKEY_FEED_TABLE"].clone(),
        }
    }

    async fn items(&self, partition: &str) -> Vec<HashMap<String, AttributeValue>> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("PK = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(partition.into()));
        query.send().await.unwrap().items.unwrap_or_default()
    }

    /// Removes every entry that is at least a minute old by the platform's clock: whoever knows of
    /// them from now on knows it by a segment.
    async fn forget_entries(&self, platform: &Platform) {
        let ambient = platform.stack.services().ambient();
        let minute_ago = (ambient.clock)().earlier_by(Duration::from_mins(1));
        for item in self.items("F#0").await {
            if *item["SK"].as_s().unwrap() <= minute_ago.to_string() {
                self.delete(&item).await;
            }
        }
    }

    async fn delete(&self, item: &HashMap<String, AttributeValue>) {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key("PK", item["PK"].clone())
            .key("SK", item["SK"].clone());
        delete.send().await.unwrap();
    }
}

#[tokio::test]
async fn cbm_4_a_cold_authorizer_knows_by_a_segment_what_was_revoked_and_what_was_given_back() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let organization = platform.organization().await;
    let act = async |client_id: &str, verb: &str, body: Value| {
        let path = format!("/api/keys/{client_id}/{verb}");
        let answer = organization.post(&path, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    };
    // Of each the token, and what an authorizer is to say of it.
    let mut tokens = Vec::new();
    for (verb, expected) in [
        ("revoke", "Unauthorized"),
        ("deactivate", "Unauthorized"),
        ("rotate", "Unauthorized"),
        ("restore", "Allow"),
        ("nothing", "Allow"),
    ] {
        let key = platform.bank_key(json!({})).await;
        let token = platform.token(&key).await;
        let id = key.client_id.as_str();
        match verb {
            "rotate" => {
                let rotated = act(id, verb, json!({"grace_period": 0})).await;
                tokens.push((platform.token(&credentials(&rotated)).await, "Allow"));
            }
            "restore" => {
                act(id, "deactivate", json!({})).await;
                act(id, verb, json!({})).await;
            }
            "nothing" => {}
            _ => drop(act(id, verb, json!({})).await),
        }
        tokens.push((token, expected));
    }
    // One token of several.
    let key = platform.bank_key(json!({})).await;
    let (revoked, kept) = (platform.token(&key).await, platform.token(&key).await);
    let body = json!({
        "client_id": key.client_id,
        "client_secret": key.client_secret,
        "token": revoked,
    });
    let answered = platform.anonymous().post("/oauth/revoke", &body).await;
    assert_eq!(answered.status, 200, "{answered:?}");
    tokens.extend([(revoked, "Unauthorized"), (kept, "Allow")]);
    // A whole organization: no hint can stand for that.
    let (guid, machine, ..) = platform.neighbour().await;
    tokens.push((platform.token(&machine).await, "Unauthorized"));
    platform.operator().suspension(guid, true).await.unwrap();

    platform.advance(Duration::from_mins(12));
    compact(&platform).await;
    let feed = FeedTable::of(&platform);
    assert!(!feed.items("C#0").await.is_empty());
    feed.forget_entries(&platform).await;
    let cold = cold_authorizer(&platform).await;
    for (token, expected) in &tokens {
        assert_eq!(answer(&cold, token).await, *expected);
    }

    // It was the segments that told.
    for item in feed.items("C#0").await {
        feed.delete(&item).await;
    }
    let uninformed = cold_authorizer(&platform).await;
    for (token, _) in &tokens {
        assert_eq!(answer(&uninformed, token).await, "Allow");
    }
}

/// What cannot be read as a segment, or was written by a later version, is read entry by entry.
#[tokio::test]
async fn cbm_4_a_segment_that_cannot_be_read_delays_a_cold_start_and_hides_nothing() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let key = platform.bank_key(json!({})).await;
    let (token, other) = (
        platform.token(&key).await,
        platform.token(&platform.seed.bank.key).await,
    );
    let path = format!("/api/keys/{}/revoke", key.client_id);
    let answered = platform.organization().await.post(&path, &json!({})).await;
    assert_eq!(answered.status, 200, "{answered:?}");
    platform.advance(Duration::from_mins(12));
    compact(&platform).await;
    let feed = FeedTable::of(&platform);
    let spoiled = [
        ("v", AttributeValue::N("2".into())),
        (
            "h",
            AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new([1; 7])),
        ),
        (
            "x",
            AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new([0, 9])),
        ),
        ("until", AttributeValue::S("later".into())),
    ];
    let segments = feed.items("C#0").await;
    for (attribute, value) in spoiled {
        for segment in &segments {
            let mut item = segment.clone();
            item.insert(attribute.to_owned(), value.clone());
            let put = feed.client.put_item().table_name(&feed.name);
            put.set_item(Some(item)).send().await.unwrap();
        }
        let cold = cold_authorizer(&platform).await;
        assert_eq!(answer(&cold, &token).await, "Unauthorized", "{attribute}");
        assert_eq!(answer(&cold, &other).await, "Allow", "{attribute}");
    }
    // Nor does it stop the compactor, which begins anew.
    platform.advance(Duration::from_mins(1));
    compact(&platform).await;
}
