//! Scenes over an embedded table, which reads the conditions.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::feed::{Effect, Subject, decode};
use dynoxide::{Database, DynoxideError};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Answer, AtomicI64, Scene, Sent, scene};

/// The three tables.
#[derive(Clone)]
pub(super) struct Table(Arc<Database>);

/// A scene over empty tables.
pub(super) fn stage() -> (Scene, Table) {
    stage_with(|_, _, _| None)
}

/// A scene over empty tables, which a test may meddle with before a request reaches them, or answer
/// in their place.
pub(super) fn stage_with(
    before: impl Fn(&Table, &Sent, &AtomicI64) -> Option<Answer> + Send + Sync + 'static,
) -> (Scene, Table) {
    let table = Table::new();
    let answering = table.clone();
    let scene = scene(0, move |sent, now| {
        before(&answering, sent, now).unwrap_or_else(|| answering.answer(sent))
    });
    (scene, table)
}

impl Table {
    fn new() -> Self {
        let database = Database::memory().unwrap();
        for name in ["core", "feed", "audit"] {
            let table = json!({
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": "PK", "AttributeType": "S"},
                    {"AttributeName": "SK", "AttributeType": "S"},
                ],
                "KeySchema": [
                    {"AttributeName": "PK", "KeyType": "HASH"},
                    {"AttributeName": "SK", "KeyType": "RANGE"},
                ],
            });
            database
                .create_table(serde_json::from_value(table).unwrap())
                .unwrap();
        }
        Self(Arc::new(database))
    }

    pub(super) fn answer(&self, sent: &Sent) -> Answer {
        let body = sent.body.clone();
        match sent.operation.as_str() {
            "BatchGetItem" => answer(body, |request| self.0.batch_get_item(request)),
            "GetItem" => answer(body, |request| self.0.get_item(request)),
            "PutItem" => answer(body, |request| self.0.put_item(request)),
            "Query" => answer(body, |request| self.0.query(request)),
            "TransactWriteItems" => answer(body, |request| self.0.transact_write_items(request)),
            "UpdateItem" => answer(body, |request| self.0.update_item(request)),
            other => panic!("{other}"),
        }
    }

    /// The items of a table whose partition begins so, in plain JSON.
    pub(super) fn items(&self, table: &str, prefix: &str) -> Vec<Value> {
        let request = json!({"TableName": table, "ConsistentRead": true});
        let found = self
            .0
            .scan(serde_json::from_value(request).unwrap())
            .unwrap();
        let found = serde_json::to_value(found).unwrap();
        let items = found["Items"].as_array().unwrap().iter().map(plain);
        items
            .filter(|item| item["PK"].as_str().unwrap().starts_with(prefix))
            .collect()
    }

    /// The items of `core` whose partition begins so, as they are stored.
    pub(super) fn raw(&self, prefix: &str) -> Vec<Value> {
        let found = self
            .0
            .scan(
                serde_json::from_value(json!({"TableName": "core", "ConsistentRead": true}))
                    .unwrap(),
            )
            .unwrap();
        let found = serde_json::to_value(found).unwrap();
        let items = found["Items"].as_array().unwrap().iter().cloned();
        items
            .filter(|item| item["PK"]["S"].as_str().unwrap().starts_with(prefix))
            .collect()
    }

    /// Puts an item into `core`, over whatever stands there.
    pub(super) fn put(&self, item: &Value) {
        self.put_into("core", item);
    }

    /// The same into a table.
    pub(super) fn put_into(&self, table: &str, item: &Value) {
        let request = json!({"TableName": table, "Item": item});
        self.0
            .put_item(serde_json::from_value(request).unwrap())
            .unwrap();
    }

    /// The one item of `core` whose partition begins so and that has this sort key.
    pub(super) fn item(&self, prefix: &str, sk: &str) -> Value {
        self.item_of("core", prefix, sk)
    }

    /// The same of a table.
    pub(super) fn item_of(&self, table: &str, prefix: &str, sk: &str) -> Value {
        self.items(table, prefix)
            .into_iter()
            .find(|item| item["SK"] == sk)
            .unwrap_or_else(|| panic!("no {prefix} {sk}"))
    }

    /// What the feed says, in order: effect and subject.
    pub(super) fn feed(&self) -> Vec<String> {
        let statements = self.statements().into_iter();
        statements
            .map(|(subject, effect)| format!("{} {}", word(&effect), word(&subject)))
            .collect()
    }

    /// What the feed says, in order.
    pub(super) fn statements(&self) -> Vec<(Subject, Effect)> {
        let entries = self.items("feed", "F#0");
        entries.iter().map(|entry| statement(&entry["e"])).collect()
    }

    /// The audit events, in order.
    pub(super) fn audit(&self) -> Vec<Value> {
        self.items("audit", "A#")
            .iter()
            .map(|event| serde_json::from_str(event["body"].as_str().unwrap()).unwrap())
            .collect()
    }

    /// Changes an item as somebody else would: every change counts its version.
    pub(super) fn touch(&self, prefix: &str, sk: &str) {
        let pk = self.item(prefix, sk)["PK"].clone();
        self.update(json!({
            "Key": {"PK": {"S": pk}, "SK": {"S": sk}},
            "UpdateExpression": "ADD version :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }));
    }

    /// An update of `core`.
    pub(super) fn update(&self, mut request: Value) {
        request["TableName"] = "core".into();
        self.0
            .update_item(serde_json::from_value(request).unwrap())
            .unwrap();
    }

    /// What the TTL does.
    pub(super) fn sweep(&self, prefix: &str, sk: &str) {
        let pk = self.item(prefix, sk)["PK"].clone();
        let request = json!({"TableName": "core", "Key": {"PK": {"S": pk}, "SK": {"S": sk}}});
        self.0
            .delete_item(serde_json::from_value(request).unwrap())
            .unwrap();
    }

    /// Whether nothing that stands anywhere holds this text.
    pub(super) fn lacks(&self, text: &str) -> bool {
        ["core", "feed", "audit"].iter().all(|table| {
            self.items(table, "")
                .iter()
                .all(|item| !item.to_string().contains(text))
        })
    }
}

fn answer<R: DeserializeOwned, A: Serialize>(
    body: Value,
    call: impl FnOnce(R) -> Result<A, DynoxideError>,
) -> Answer {
    match call(serde_json::from_value(body).unwrap()) {
        Ok(answer) => (200, serde_json::to_value(answer).unwrap()),
        Err(error) => (
            error.status_code(),
            serde_json::from_str(&error.to_json()).unwrap(),
        ),
    }
}

/// An attribute's or item's value without its types.
fn plain(item: &Value) -> Value {
    let value = |typed: &Value| {
        let (kind, value) = typed.as_object().unwrap().iter().next().unwrap();
        match kind.as_str() {
            "M" => plain(value),
            "L" => value
                .as_array()
                .unwrap()
                .iter()
                .map(|value| plain(&json!({"value": value}))["value"].clone())
                .collect(),
            "N" => serde_json::from_str(value.as_str().unwrap()).unwrap(),
            _ => value.clone(),
        }
    };
    item.as_object()
        .unwrap()
        .iter()
        .map(|(name, typed)| (name.clone(), value(typed)))
        .collect()
}

/// What an entry or an outbox says.
pub(super) fn statement(binary: &Value) -> (Subject, Effect) {
    let bytes = STANDARD.decode(binary.as_str().unwrap()).unwrap();
    decode(&bytes).unwrap()
}

/// What it is called, without its fields.
pub(super) fn word(of: &impl fmt::Debug) -> String {
    let text = format!("{of:?}").to_lowercase();
    text.split(|c: char| !c.is_alphabetic())
        .next()
        .unwrap()
        .to_owned()
}
