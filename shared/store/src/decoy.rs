//! What is decoded in the place of a key that there is not, or that says less than others: an
//! unknown client costs what a known one does (docs/requirements.md, Secret format).
//!
//! Measured on 2026-12-01, release build, medians of 20,000 interleaved samples of each over a
//! connector that answers at once (`wrong_secrets` in `shared/guard/src/tests`), known against
//! unknown: a bank's key 157.1 µs against 157.9 µs (1.005), a personal key 159.5 µs against 158.1
//! µs (0.992).

use std::{hint::black_box, sync::LazyLock};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use aws_smithy_types::base64;
use domain::{
    ids::{ClientId, Guid},
    key::Key,
    scope::{Catalogue, Holder, ScopeSet},
    secret::Secret,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::{
    error::StoreError,
    item_keys::{self, ItemKey},
    record::{self, Item},
};

/// Items as `DynamoDB` spells them in its answers.
struct Decoy {
    /// A key without scopes.
    key: String,
    /// The scopes that a bank's key has by default. Most of what a key's decoding costs is theirs.
    scopes: Vec<String>,
    secret: String,
}

/// Nothing if it did not encode, which the test below shows it does.
static DECOY: LazyLock<Option<Decoy>> = LazyLock::new(|| Decoy::make().ok());

/// Decodes what reading `key` did not: of no key a whole one, of another the scopes that it has
/// less than a bank's.
pub(crate) fn make_up_for(key: Option<&Key>) {
    let Some(decoy) = &*DECOY else { return };
    let decoded = if let Some(key) = key {
        key.scopes.iter().count()
    } else {
        black_box(decode::<Key>(&decoy.key).is_some());
        0
    };
    let missing = decoy.scopes.get(decoded..).unwrap_or_default();
    black_box(decode_scopes(missing).is_some());
}

/// Decodes a secret.
pub(crate) fn decode_secret() {
    black_box(
        DECOY
            .as_ref()
            .map(|decoy| decode::<Secret>(&decoy.secret).is_some()),
    );
}

impl Decoy {
    fn make() -> Result<Self, StoreError> {
        let (nobody, nothing) = (ClientId::of(Guid::PLATFORM), Guid::PLATFORM.to_string());
        let made = "2026-01-01T00:00:00.000Z";
        let key = json!({
            "client_id": nobody,
            "owner": format!("bank:{nothing}"),
            "organization": nothing,
            "kind": "sandbox",
            "name": "decoy",
            "scopes": [],
            "ip_allowlist": ["8.8.8.0/24"],
            "state": {"name": "active"},
            "secrets": {"current": {"id": nothing, "created_at": made}},
            "created_at": made,
            "updated_at": made,
            "version": 0,
        });
        let secret = json!({"id": nothing, "hash": {"pepper_version": 1}, "created_at": made});
        let scopes = Catalogue::default().defaults(Holder::Bank);
        Ok(Self {
            key: item(item_keys::key(nobody), &key)?.to_string(),
            scopes: scopes
                .iter()
                .map(|scope| spelled(&scope.as_str().into()).to_string())
                .collect(),
            secret: {
                let mut secret = item(item_keys::no_secret(nobody), &secret)?;
                secret["hash"]["M"]["digest"] = json!({"B": base64::encode([0; 32])});
                secret.to_string()
            },
        })
    }
}

/// As the SDK and then the store do it: text, attributes, value.
fn decode<T: DeserializeOwned>(text: &str) -> Option<T> {
    let members: Map<String, Value> = serde_json::from_str(text).ok()?;
    record::read(attributes(&members)?).ok()
}

fn decode_scopes(texts: &[String]) -> Option<ScopeSet> {
    let list = serde_json::from_str(&format!(r#"{{"L":[{}]}}"#, texts.join(","))).ok()?;
    serde_dynamo::from_attribute_value(attribute(&list)?).ok()
}

/// The item of a value under a key.
fn item(at: ItemKey, value: &Value) -> Result<Value, StoreError> {
    let mut members: Map<_, _> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), spelled(value)))
        .collect();
    for (name, attribute) in at.into_key() {
        let text = attribute
            .as_s()
            .map_err(|_| StoreError::Corrupt(name.clone()))?;
        members.insert(name, json!({"S": text}));
    }
    Ok(members.into())
}

/// A value as `DynamoDB` spells it in JSON.
fn spelled(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(bool) => json!({"BOOL": bool}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(list) => json!({"L": list.iter().map(spelled).collect::<Vec<_>>()}),
        Value::Object(members) => {
            let spelled: Map<_, _> = members
                .iter()
                .map(|(name, value)| (name.clone(), spelled(value)))
                .collect();
            json!({"M": spelled})
        }
    }
}

/// What is spelled like that, of the types that a key has.
fn attribute(spelled: &Value) -> Option<AttributeValue> {
    let (name, value) = spelled.as_object()?.iter().next()?;
    Some(match (name.as_str(), value) {
        ("S", Value::String(text)) => AttributeValue::S(text.clone()),
        ("N", Value::String(number)) => AttributeValue::N(number.clone()),
        ("L", Value::Array(list)) => {
            AttributeValue::L(list.iter().map(attribute).collect::<Option<_>>()?)
        }
        ("B", Value::String(text)) => {
            AttributeValue::B(Blob::new(base64::decode(text.as_str()).ok()?))
        }
        ("M", Value::Object(members)) => AttributeValue::M(attributes(members)?),
        _ => return None,
    })
}

fn attributes(members: &Map<String, Value>) -> Option<Item> {
    members
        .iter()
        .map(|(name, value)| Some((name.clone(), attribute(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoys_are_a_key_with_its_scopes_and_a_secret() {
        let decoy = Decoy::make().unwrap();
        let key: Key = decode(&decoy.key).unwrap();
        assert!(key.owner.bank().is_some() && key.scopes.is_empty());
        assert!(decoy.scopes.len() >= 40, "{}", decoy.scopes.len());
        let defaults = Catalogue::default().defaults(Holder::Bank);
        assert_eq!(decode_scopes(&decoy.scopes), Some(defaults));
        assert_eq!(decode_scopes(&[]), Some(ScopeSet::default()));
        decode::<Secret>(&decoy.secret).unwrap();
    }
}
