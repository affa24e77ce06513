//! A bound of the revoked keys that are listed. Whoever makes and revokes keys in a loop would
//! otherwise fill a list that is read whole, by incidents too. It refuses nobody: beyond it, those
//! that were revoked first leave the list before their time.

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::{ids::Guid, key_mode::KeyMode, time::Timestamp};

use super::{CountRecord, LISTED_REVOKED, Limit};
use crate::{
    KeyRow, Store,
    error::StoreError,
    item_keys::{self, Class},
    record,
    transaction::Transaction,
};

/// Revoked keys of one kind that an organization's list has at most, or a little more: as many as
/// keys that are not. An incident reads the list before it revokes.
pub(super) const MAX_LISTED_REVOKED: usize = 10_000;
/// Keys that leave the list at once, so that not each creation reads the list for one.
pub(super) const AT_ONCE: usize = 300;
/// Keys in one transaction: of each the row and the item.
const BATCH: usize = 45;

impl Store {
    /// Has the keys of a kind that were revoked first leave the list, where `most` or more are
    /// listed, `at_once` of them, unless somebody else has them leave meanwhile.
    pub(crate) async fn trim(
        &self,
        organization: Guid,
        kind: KeyMode,
        (most, at_once): (usize, usize),
    ) -> Result<(), StoreError> {
        let counts = self.counts(organization).await?;
        let limit = Limit::Keys(kind);
        let count = counts.iter().find(|(of, _)| *of == limit);
        let count = count.map(|(_, count)| *count).unwrap_or_default();
        if usize::try_from(count.listed_revoked).unwrap_or_default() < most {
            return Ok(());
        }
        let now = self.now();
        let mut rows: Vec<KeyRow> = self.rows(organization, Class::Key).await?;
        rows.retain(|row| row.kind == kind && row.listed_until.is_some_and(|until| now < until));
        rows.sort_by_key(|row| row.listed_until);
        let kept = most.saturating_sub(at_once);
        let leaving = rows.len().saturating_sub(kept).min(at_once);
        let store = Self {
            behalf: None,
            ..self.clone()
        };
        for batch in rows[..leaving].chunks(BATCH) {
            let left = store.commit(|_| {
                let core = &self.tables.core;
                batch.iter().try_fold(Transaction::default(), |all, row| {
                    all.unlist(core, organization, row, now)?
                        .sweep_key(core, row.client_id, now)
                })
            });
            match left.await {
                Ok(()) => {}
                // A creation is not refused for that; the next one trims again.
                Err(StoreError::Changed | StoreError::Contended) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        store
            .set_listed(organization, limit, count, rows.len() - leaving)
            .await
    }

    /// Corrects how many revoked keys are listed, beside those that are revoked meanwhile; unless
    /// somebody else did.
    async fn set_listed(
        &self,
        organization: Guid,
        limit: Limit,
        seen: CountRecord,
        listed: usize,
    ) -> Result<(), StoreError> {
        let seen = seen.listed_revoked;
        let more = i64::try_from(listed).unwrap_or(seen) - seen;
        let corrected = self.commit(|_| {
            let update = Update::builder()
                .update_expression("ADD #listed :more")
                .condition_expression("#listed >= :seen")
                .expression_attribute_names("#listed", LISTED_REVOKED)
                .expression_attribute_values(":more", AttributeValue::N(more.to_string()))
                .expression_attribute_values(":seen", AttributeValue::N(seen.to_string()));
            let at = item_keys::count(organization, limit);
            Transaction::default().update(&self.tables.core, at, update, StoreError::Changed)
        });
        match corrected.await {
            Err(StoreError::Changed | StoreError::Contended) => Ok(()),
            other => other,
        }
    }
}

impl Transaction {
    /// Has a row listed until then only.
    fn unlist(
        self,
        core: &str,
        organization: Guid,
        row: &KeyRow,
        until: Timestamp,
    ) -> Result<Self, StoreError> {
        let update = Update::builder()
            .update_expression("SET listed_until = :until, #expires = :expires")
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_names("#expires", record::EXPIRES)
            .expression_attribute_values(":until", record::value(&until)?)
            .expression_attribute_values(":expires", record::expires(until));
        self.update(core, row.at(organization), update, StoreError::Changed)
    }
}
