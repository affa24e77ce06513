//! The operator's way out: what is counted, another limit, and counts that are right again whatever
//! happened to them.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::{
    audit::{Action, Origin},
    ids::Guid,
    key_mode::KeyMode,
};
use serde_json::Value;

use super::{CountRecord, Limit, Limits, MAX};
use crate::{
    BankRow, KeyRow, Store, UserRow,
    error::StoreError,
    item_keys::{self, Class},
    transaction::{MAX_ATTEMPTS, Transaction},
};

/// Counts that one transaction corrects, beside the audit event.
const BATCH: usize = 99;

impl Store {
    /// How many keys an organization has and may have.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn limits(&self, organization: Guid) -> Result<Limits, StoreError> {
        let counts = self.counts(organization).await?;
        let of = |limit: Limit| {
            let found = counts.iter().find(|(of, _)| *of == limit);
            limit.count(found.map(|(_, record)| *record).unwrap_or_default())
        };
        let mut people: Vec<_> = counts
            .iter()
            .filter_map(|(limit, record)| match limit {
                Limit::KeysOf(person) => Some((*person, limit.count(*record))),
                _ => None,
            })
            .collect();
        people.sort_by_key(|(person, count)| (u64::MAX - count.keys, *person));
        Ok(Limits {
            sandbox: of(Limit::Keys(KeyMode::Sandbox)),
            live: of(Limit::Keys(KeyMode::Live)),
            people,
        })
    }

    /// Sets how many keys of a kind an organization may have that are not revoked.
    ///
    /// # Errors
    /// What any change can meet.
    pub async fn set_key_limit(
        &self,
        organization: Guid,
        kind: KeyMode,
        max: u64,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let limit = Limit::Keys(kind);
        self.commit(|now| {
            let update = Update::builder()
                .update_expression("SET #max = :max, n = if_not_exists(n, :none)")
                .expression_attribute_names("#max", MAX)
                .expression_attribute_values(":max", AttributeValue::N(max.to_string()))
                .expression_attribute_values(":none", AttributeValue::N("0".into()));
            let changes = BTreeMap::from([(format!("max_{limit}"), max.into())]);
            Transaction::default()
                .update(
                    &self.tables.core,
                    item_keys::count(organization, limit),
                    update,
                    StoreError::Changed,
                )?
                .audit(
                    self,
                    now,
                    organization,
                    Action::OrganizationLimits,
                    &organization,
                    origin,
                    changes,
                )
        })
        .await
    }

    /// Counts again what an organization has: marks the rows of all keys that incidents revoked,
    /// and corrects each count that is not what it counts. Gives how many keys were released.
    ///
    /// # Errors
    /// [`StoreError::Changed`] where keys were made and revoked each time that it counted, and what
    /// any change can meet. What it did until then stays, and repeating it is safe.
    pub async fn recount_keys(
        &self,
        organization: Guid,
        origin: &Origin,
    ) -> Result<usize, StoreError> {
        let (mut all, mut attempt) = (0, 0);
        loop {
            let (found, released) = self.release_ended(organization, None).await?;
            all += released;
            if found == released {
                break;
            }
            if released == 0 {
                attempt += 1;
            }
            if attempt == MAX_ATTEMPTS {
                return Err(StoreError::Changed);
            }
            self.pause(attempt).await;
        }
        if all > 0 {
            let changes = BTreeMap::from([("released".into(), all.into())]);
            self.commit(|now| {
                self.told(Transaction::default(), now, organization, origin, &changes)
            })
            .await?;
        }
        for attempt in 0..MAX_ATTEMPTS {
            match self.correct(organization, origin).await {
                Err(StoreError::Changed) => self.pause(attempt).await,
                corrected => return corrected.map(|()| all),
            }
        }
        Err(StoreError::Changed)
    }

    /// Corrects each count that has not changed since before the rows were read.
    pub(crate) async fn correct(
        &self,
        organization: Guid,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let stored: BTreeMap<Limit, CountRecord> =
            self.counts(organization).await?.into_iter().collect();
        let keys: Vec<KeyRow> = self.rows(organization, Class::Key).await?;
        let banks: Vec<BankRow> = self.rows(organization, Class::Bank).await?;
        let users: Vec<UserRow> = self.rows(organization, Class::User).await?;
        let counting = keys
            .iter()
            .flat_map(KeyRow::limits)
            .chain(banks.iter().map(|bank| Limit::Banks(bank.kind)))
            .chain(users.iter().map(|_| Limit::Users));
        let mut counted: BTreeMap<Limit, i64> = stored.keys().map(|limit| (*limit, 0)).collect();
        for limit in counting {
            *counted.entry(limit).or_default() += 1;
        }
        let wrong: Vec<_> = counted
            .into_iter()
            .filter_map(|(limit, n)| {
                let record = stored.get(&limit).copied().unwrap_or_default();
                (record.n != n).then_some((limit, n, record.version))
            })
            .collect();
        for batch in wrong.chunks(BATCH) {
            let changes: BTreeMap<String, Value> = batch
                .iter()
                .map(|(limit, n, _)| (limit.to_string(), (*n).into()))
                .collect();
            self.commit(|now| {
                let corrected =
                    batch
                        .iter()
                        .try_fold(Transaction::default(), |all, (limit, n, version)| {
                            let at = item_keys::count(organization, *limit);
                            let update = recounted(*n, *version);
                            all.update(&self.tables.core, at, update, StoreError::Changed)
                        })?;
                self.told(corrected, now, organization, origin, &changes)
            })
            .await?;
        }
        Ok(())
    }

    /// The transaction, with the audit event of a recount.
    fn told(
        &self,
        transaction: Transaction,
        now: domain::time::Timestamp,
        organization: Guid,
        origin: &Origin,
        changes: &BTreeMap<String, Value>,
    ) -> Result<Transaction, StoreError> {
        transaction.audit(
            self,
            now,
            organization,
            Action::OrganizationLimits,
            &organization,
            origin,
            changes.clone(),
        )
    }
}

/// The update of a count to this number, while it is at this version.
fn recounted(n: i64, version: Option<u64>) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
    let update = Update::builder()
        .update_expression("SET n = :n ADD version :one")
        .expression_attribute_values(":n", AttributeValue::N(n.to_string()))
        .expression_attribute_values(":one", AttributeValue::N("1".into()));
    match version {
        Some(version) => update
            .condition_expression("version = :version")
            .expression_attribute_values(":version", AttributeValue::N(version.to_string())),
        None => update.condition_expression("attribute_not_exists(version)"),
    }
}
