//! Room for new keys. Two things end keys without touching their rows: an incident, which revokes
//! many by one write of the gate (LEAK-8), and the clock. When a limit is met, the rows of those
//! keys are marked, and the counts corrected with them.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::{
    gate::OrganizationGate,
    ids::{ClientId, Guid},
    key::Key,
    time::Timestamp,
};

use super::{
    Limit, LimitCount,
    trim::{AT_ONCE, MAX_LISTED_REVOKED},
    while_counted,
};
use crate::{
    KeyRow, Store,
    error::StoreError,
    item_keys::{self, Class},
    record,
    transaction::Transaction,
};

/// Keys that one transaction releases: of each the row, the item, and a person's count, and the two
/// counts of the organization.
const BATCH: usize = 30;
/// Transactions, one after another, that one creation makes room by.
const MAX_BATCHES: usize = 10;
/// How long one creation goes on making room, so that its answer comes in time.
const MAX_TIME: Duration = Duration::from_secs(5);
/// How long a key is past its end before it no longer counts: by a clock that is behind it could
/// still get a later end.
const CLOCKS_APART: Duration = Duration::from_mins(1);

/// A row that counts for a key which has ended.
struct Ended {
    row: KeyRow,
    /// Whether it was revoked; else it is past its end.
    revoked: bool,
}

impl Store {
    /// Makes room below a limit of keys, and counts again: somebody else may have made the room.
    /// Many keys at once are released a few hundred a time, so that no creation waits for all of
    /// them.
    pub(crate) async fn make_room(
        &self,
        organization: Guid,
        limit: Limit,
    ) -> Result<LimitCount, StoreError> {
        self.release_ended(organization, Some(limit)).await?;
        if let Limit::Keys(kind) = limit {
            self.trim(organization, kind, (MAX_LISTED_REVOKED, AT_ONCE))
                .await?;
        }
        self.count_of(organization, limit).await
    }

    /// Releases keys that count for a limit and have ended, as many as one request has time for;
    /// for no limit in particular, those of all, however long that takes. Gives how many there were
    /// and how many of them it released: others may have been faster.
    pub(crate) async fn release_ended(
        &self,
        organization: Guid,
        limit: Option<Limit>,
    ) -> Result<(usize, usize), StoreError> {
        let ended = self.ended(organization, limit).await?;
        let (batches, until) = match limit {
            Some(_) => (MAX_BATCHES, Some(self.now() + MAX_TIME)),
            None => (usize::MAX, None),
        };
        // Whoever asks for it: nobody's authority is needed to count right.
        let store = Self {
            behalf: None,
            ..self.clone()
        };
        let mut released = 0;
        for batch in ended.chunks(BATCH).take(batches) {
            if until.is_some_and(|until| self.now() > until) {
                break;
            }
            match store.release(organization, batch).await {
                Ok(()) => released += batch.len(),
                Err(StoreError::Changed | StoreError::Contended) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((ended.len(), released))
    }

    async fn ended(
        &self,
        organization: Guid,
        limit: Option<Limit>,
    ) -> Result<Vec<Ended>, StoreError> {
        let gate: Option<OrganizationGate> = self.read(item_keys::gate(organization)).await?;
        let gate = gate.unwrap_or(OrganizationGate::NEW);
        let rows: Vec<KeyRow> = self.rows(organization, Class::Key).await?;
        let counted = rows.into_iter().filter(|row| {
            row.limits()
                .any(|counts| limit.is_none_or(|only| only == counts))
        });
        let (revoked, others): (Vec<_>, Vec<_>) =
            counted.partition(|row| gate.revokes(row.owner, row.kind, row.created_at));
        let mut ended: Vec<_> = revoked
            .into_iter()
            .map(|row| Ended { row, revoked: true })
            .collect();
        // The end of a key matters to a person's count alone, and few revocations leave their row:
        // for the kinds' limits no key is read.
        if matches!(limit, Some(Limit::KeysOf(_)) | None) {
            ended.extend(self.ended_by_themselves(others).await?);
        }
        Ok(ended)
    }

    /// Those of these rows whose keys were revoked by themselves, or are past their end and count
    /// for a person.
    async fn ended_by_themselves(&self, rows: Vec<KeyRow>) -> Result<Vec<Ended>, StoreError> {
        let items = rows.iter().map(|row| item_keys::key(row.client_id));
        let keys: Vec<Key> = self.read_all(items.collect()).await?;
        let keys: HashMap<ClientId, Key> =
            keys.into_iter().map(|key| (key.client_id, key)).collect();
        let over = self.now().earlier_by(CLOCKS_APART);
        let ended = rows.into_iter().filter_map(|row| {
            let key = keys.get(&row.client_id)?;
            let revoked = key.is_revoked();
            let expired = key.is_expired(over) && row.counted_for.is_some();
            (revoked || expired).then_some(Ended { row, revoked })
        });
        Ok(ended.collect())
    }

    /// Releases these keys, all or none.
    async fn release(&self, organization: Guid, ended: &[Ended]) -> Result<(), StoreError> {
        let core = &self.tables.core;
        let mut fewer = BTreeMap::<Limit, usize>::new();
        for Ended { row, revoked } in ended {
            let limits = row
                .limits()
                .filter(|limit| *revoked || matches!(limit, Limit::KeysOf(_)));
            for limit in limits {
                *fewer.entry(limit).or_default() += 1;
            }
        }
        self.commit(|now| {
            let until = now + Key::LISTED_WHEN_REVOKED;
            let all = ended
                .iter()
                .try_fold(Transaction::default(), |all, ended| match ended {
                    Ended { row, revoked: true } => all
                        .mark_revoked(core, organization, row, until)?
                        .sweep_key(core, row.client_id, until),
                    Ended { row, .. } => all.uncount_person(core, organization, row),
                })?;
            fewer.iter().try_fold(all, |all, (limit, fewer)| {
                all.count_fewer(core, organization, *limit, *fewer)
            })
        })
        .await
    }
}

impl Transaction {
    /// Has the item of a revoked key swept once it is listed no longer. Its version changes, so
    /// that whoever decided on the key before decides again.
    pub(super) fn sweep_key(
        self,
        core: &str,
        client_id: ClientId,
        until: Timestamp,
    ) -> Result<Self, StoreError> {
        let sweep = Update::builder()
            .update_expression("SET listed_until = :until, #expires = :expires ADD version :one")
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_names("#expires", record::EXPIRES)
            .expression_attribute_values(":until", record::value(&until)?)
            .expression_attribute_values(":expires", record::expires(until))
            .expression_attribute_values(":one", AttributeValue::N("1".into()));
        self.update(core, item_keys::key(client_id), sweep, StoreError::Changed)
    }

    /// Has a row count for no person any more, where it still counts as it does here.
    fn uncount_person(
        self,
        core: &str,
        organization: Guid,
        row: &KeyRow,
    ) -> Result<Self, StoreError> {
        let update = Update::builder().update_expression("REMOVE counted_for");
        let update = while_counted(update, row)?;
        self.update(core, row.at(organization), update, StoreError::Changed)
    }
}
