//! The published signing keys: what every verifier trusts, and which of them signs.
//!
//! A key is published by its own item and retired by a mark on it, never by its deletion: an
//! instance of the token function that still has the key among its settings would publish it again.
//! Who signs is one item of each kind, changed together with the published items that it concerns,
//! so that no crash leaves one without the other.

#![expect(
    clippy::similar_names,
    reason = "`kid` and `kind` are what the standard and the product call them"
)]

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{
        AttributeValue, ConditionCheck, Put, Update,
        builders::{ConditionCheckBuilder, PutBuilder, UpdateBuilder},
    },
};
use domain::{
    audit::{Action, Origin},
    ids::Guid,
    key_mode::KeyMode,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Store, error::StoreError, item_keys, record, transaction::Transaction};

/// A public key whose tokens verifiers accept, until it is retired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedKey {
    /// The RFC 7638 thumbprint.
    pub kid: String,
    /// The RFC 7517 public key; null once the key is retired, so that nothing is left to trust.
    pub jwk: Value,
    /// When it was published.
    pub published_at: Timestamp,
    /// When another key took over signing from it, the last time; nothing while it signs, and if it
    /// never has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// When it was retired, for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
}

/// Which key of a kind signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// The RFC 7638 thumbprint of a published key.
    pub kid: String,
    /// Since when.
    pub since: Timestamp,
}

impl Store {
    /// Publishes a key, unless it has been before; gives what is published, which may be retired.
    ///
    /// # Errors
    /// What any change can meet.
    pub async fn publish_signing_key(
        &self,
        kind: KeyMode,
        key: &PublishedKey,
    ) -> Result<PublishedKey, StoreError> {
        let item = record::write(item_keys::signing_key(kind, &key.kid), key)?;
        if self.put_first(item).await? {
            return Ok(key.clone());
        }
        // By a query, which the token function may: it reads no single published key.
        let published = self.all_signing_keys(kind).await?;
        published
            .into_iter()
            .find(|published| published.kid == key.kid)
            .ok_or(StoreError::Changed)
    }

    /// Names the first key that signs, unless one is named already.
    ///
    /// # Errors
    /// What any change can meet.
    pub async fn name_first_signer(
        &self,
        kind: KeyMode,
        signer: &Signer,
    ) -> Result<(), StoreError> {
        self.put_first(record::write(item_keys::signer(kind), signer)?)
            .await
            .map(drop)
    }

    /// Puts an item where none is yet; whether it did.
    async fn put_first(&self, item: record::Item) -> Result<bool, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(item));
        match put
            .condition_expression("attribute_not_exists(PK)")
            .send()
            .await
        {
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            result => result.map(|_| true).map_err(StoreError::unavailable),
        }
    }

    /// Which key of a kind signs; strongly consistent. Nothing before the first one.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn signer(&self, kind: KeyMode) -> Result<Option<Signer>, StoreError> {
        self.read(item_keys::signer(kind)).await
    }

    /// The published keys of a kind that verifiers trust; strongly consistent.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn signing_keys(&self, kind: KeyMode) -> Result<Vec<PublishedKey>, StoreError> {
        let mut keys = self.all_signing_keys(kind).await?;
        keys.retain(|key| key.retired_at.is_none());
        Ok(keys)
    }

    /// The keys of a kind that were ever published, the retired ones too; strongly consistent.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn all_signing_keys(&self, kind: KeyMode) -> Result<Vec<PublishedKey>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("PK = :kind")
            .expression_attribute_values(":kind", AttributeValue::S(item_keys::signing_keys(kind)))
            .send()
            .await
            .map_err(StoreError::unavailable)?;
        answer
            .items
            .unwrap_or_default()
            .into_iter()
            .map(record::read)
            .collect()
    }

    /// The operator publishes a key that never was before.
    ///
    /// # Errors
    /// [`StoreError::Exists`], and what any change can meet.
    pub async fn add_signing_key(
        &self,
        kind: KeyMode,
        kid: &str,
        jwk: &Value,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        self.commit(|now| {
            let key = PublishedKey {
                kid: kid.to_owned(),
                jwk: jwk.clone(),
                published_at: now,
                stopped_at: None,
                retired_at: None,
            };
            let item = record::write(item_keys::signing_key(kind, kid), &key)?;
            self.audited(
                Transaction::default().create(&self.tables.core, item)?,
                now,
                Action::SigningKeyPublish,
                kind,
                kid,
                origin,
            )
        })
        .await
    }

    /// The operator has a published key take over signing from the one that signs, if that is still
    /// `signer`.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when somebody else changed the signer or one of the two keys, and
    /// what any change can meet.
    pub async fn change_signer(
        &self,
        kind: KeyMode,
        signer: Option<&Signer>,
        kid: &str,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let core = &self.tables.core;
        self.commit(|now| {
            let next = Signer {
                kid: kid.to_owned(),
                since: now,
            };
            let named = match signer {
                None => Put::builder().condition_expression("attribute_not_exists(PK)"),
                Some(signer) => signer_unchanged(signer).put,
            };
            let item = record::write(item_keys::signer(kind), &next)?;
            let mut change = Transaction::default().put(named, core, item, StoreError::Changed)?;
            let begins = Update::builder()
                .update_expression("REMOVE stopped_at")
                .condition_expression(TRUSTED);
            change = change.update(
                core,
                item_keys::signing_key(kind, kid),
                begins,
                StoreError::Changed,
            )?;
            if let Some(signer) = signer {
                let ends = Update::builder()
                    .update_expression("SET stopped_at = :now")
                    .condition_expression(TRUSTED)
                    .expression_attribute_values(":now", record::value(&now)?);
                change = change.update(
                    core,
                    item_keys::signing_key(kind, &signer.kid),
                    ends,
                    StoreError::Changed,
                )?;
            }
            self.audited(change, now, Action::SigningKeySign, kind, kid, origin)
        })
        .await
    }

    /// The operator withdraws a key, as it was read, for good, while `signer` signs.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when somebody else changed the signer or the key, and what any
    /// change can meet.
    pub async fn retire_signing_key(
        &self,
        kind: KeyMode,
        key: &PublishedKey,
        signer: &Signer,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let core = &self.tables.core;
        self.commit(|now| {
            let signs = signer_unchanged(signer).check;
            let change = Transaction::default().check(
                core,
                item_keys::signer(kind),
                signs,
                StoreError::Changed,
            )?;
            let retire = Update::builder()
                .update_expression("SET retired_at = :now, jwk = :nothing")
                .expression_attribute_values(":now", record::value(&now)?)
                .expression_attribute_values(":nothing", AttributeValue::Null(true));
            let retire = as_it_was(retire, key.stopped_at)?;
            let change = change.update(
                core,
                item_keys::signing_key(kind, &key.kid),
                retire,
                StoreError::Changed,
            )?;
            self.audited(
                change,
                now,
                Action::SigningKeyRetire,
                kind,
                &key.kid,
                origin,
            )
        })
        .await
    }

    fn audited(
        &self,
        change: Transaction,
        now: Timestamp,
        action: Action,
        kind: KeyMode,
        kid: &str,
        origin: &Origin,
    ) -> Result<Transaction, StoreError> {
        let changes = BTreeMap::from([("environment".to_owned(), Value::from(kind.to_string()))]);
        change.audit(self, now, Guid::PLATFORM, action, &kid, origin, changes)
    }
}

/// Of a key's item: it is published, and not retired.
const TRUSTED: &str = "attribute_exists(PK) AND attribute_not_exists(retired_at)";

/// The condition that the signer is still the one that was read, for a put over it and for a check
/// of it.
struct SignerUnchanged {
    put: PutBuilder,
    check: ConditionCheckBuilder,
}

fn signer_unchanged(signer: &Signer) -> SignerUnchanged {
    const SAME: &str = "kid = :kid AND since = :since";
    let (kid, since) = (
        AttributeValue::S(signer.kid.clone()),
        AttributeValue::S(signer.since.to_string()),
    );
    SignerUnchanged {
        put: Put::builder()
            .condition_expression(SAME)
            .expression_attribute_values(":kid", kid.clone())
            .expression_attribute_values(":since", since.clone()),
        check: ConditionCheck::builder()
            .condition_expression(SAME)
            .expression_attribute_values(":kid", kid)
            .expression_attribute_values(":since", since),
    }
}

/// The condition that a key has neither been retired nor signed since it was read.
fn as_it_was(
    update: UpdateBuilder,
    stopped_at: Option<Timestamp>,
) -> Result<UpdateBuilder, StoreError> {
    Ok(match stopped_at {
        None => {
            update.condition_expression(format!("{TRUSTED} AND attribute_not_exists(stopped_at)"))
        }
        Some(at) => update
            .condition_expression(format!("{TRUSTED} AND stopped_at = :stopped"))
            .expression_attribute_values(":stopped", record::value(&at)?),
    })
}
