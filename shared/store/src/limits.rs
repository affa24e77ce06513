//! How many there may be of a class: counts that each creation adds to, under the condition that
//! the limit is not reached (docs/requirements.md, Lists).
//!
//! A count of keys is exactly the number of list rows that it stands for: a row that is not marked
//! as revoked counts for its kind, and for the person whom its `counted_for` names. What changes a
//! row in that respect changes the counts in the same transaction, under a condition on the row. So
//! two that meet on a row never subtract it twice, and however changes race, no count is less than
//! what it counts.

use std::fmt;

use aws_sdk_dynamodb::types::{AttributeValue, Update, builders::UpdateBuilder};
use domain::{ids::Guid, key::Key, key_mode::KeyMode, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    KeyRow, Store,
    error::StoreError,
    item_keys::{self, COUNTS, ItemKey},
    record::{self, Item},
    transaction::Transaction,
};

mod operator;
mod release;
mod trim;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// The banks of an organization of one kind.
    Banks(KeyMode),
    /// The users of an organization, disabled ones too.
    Users,
    /// The keys of an organization of one kind that are not revoked.
    Keys(KeyMode),
    /// The keys that this person made in an organization and that are neither revoked nor past
    /// their end.
    KeysOf(Guid),
}

/// A count, and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitCount {
    /// How many there are.
    pub keys: u64,
    /// How many there may be.
    pub max: u64,
}

/// The keys of an organization, as they are counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Its sandbox keys that are not revoked.
    pub sandbox: LimitCount,
    /// Its live keys that are not revoked.
    pub live: LimitCount,
    /// Who made those that work, the people with the most first. A key that has ended since counts
    /// until it is revoked or the counts are corrected.
    pub people: Vec<(Guid, LimitCount)>,
}

/// A count as it is stored.
#[derive(Clone, Copy, Default, Deserialize)]
struct CountRecord {
    #[serde(default)]
    n: i64,
    /// Another limit than the usual one, by the operator.
    max: Option<u64>,
    /// How often it changed: the number alone may be the same again.
    version: Option<u64>,
    /// How many revoked keys are listed, or were.
    #[serde(default)]
    listed_revoked: i64,
}

impl Limit {
    /// How many there may be, unless the operator has said otherwise.
    pub(crate) const fn max(self) -> u64 {
        match self {
            Self::Banks(_) | Self::Users | Self::Keys(_) => 10_000,
            Self::KeysOf(_) => 1_000,
        }
    }

    fn count(self, record: CountRecord) -> LimitCount {
        LimitCount {
            keys: u64::try_from(record.n).unwrap_or_default(),
            max: record.max.unwrap_or(self.max()),
        }
    }

    /// What a caller is told who reached it.
    pub(crate) fn reached(self, max: u64) -> String {
        let max = grouped(max);
        match self {
            Self::Banks(KeyMode::Sandbox) => {
                format!("An organization has at most {max} sandbox banks")
            }
            Self::Banks(KeyMode::Live) => {
                format!("An organization has at most {max} production banks")
            }
            Self::Users => format!("An organization has at most {max} users"),
            Self::Keys(kind) => {
                format!(
                    "The organization may have {max} {kind} keys that are not revoked: revoke some"
                )
            }
            Self::KeysOf(_) => format!("You may make {max} keys that work: revoke some"),
        }
    }

    /// The limit whose count stands under this sort key; nothing for the count of owners.
    fn of_count(sk: &str) -> Option<Self> {
        let of = sk.strip_prefix(COUNTS)?;
        match of.split_once('#') {
            Some(("bank", kind)) => kind.parse().ok().map(Self::Banks),
            Some(("key", kind)) => kind.parse().ok().map(Self::Keys),
            Some(("made", person)) => person.parse().ok().map(Self::KeysOf),
            None if of == "user" => Some(Self::Users),
            _ => None,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Banks(kind) => write!(f, "{kind}_banks"),
            Self::Users => f.write_str("users"),
            Self::Keys(kind) => write!(f, "{kind}_keys"),
            Self::KeysOf(person) => write!(f, "keys_of_{person}"),
        }
    }
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl KeyRow {
    /// The limits that the key counts for.
    fn limits(&self) -> impl Iterator<Item = Limit> + use<> {
        let (kind, person) = (self.kind, self.counted_for);
        (!self.revoked)
            .then(|| [Some(Limit::Keys(kind)), person.map(Limit::KeysOf)])
            .into_iter()
            .flatten()
            .flatten()
    }

    fn at(&self, organization: Guid) -> ItemKey {
        let class = item_keys::Class::Key;
        item_keys::list_row(organization, class, self.created_at, self.client_id)
    }
}

impl Transaction {
    /// Counts one more, up to the limit.
    pub(crate) fn count_one(
        self,
        core: &str,
        organization: Guid,
        limit: Limit,
    ) -> Result<Self, StoreError> {
        let update = Update::builder().condition_expression(BELOW_LIMIT);
        self.count_if(core, organization, limit, update)
    }

    /// Counts the new key of a row; where `trimmed` says no, only where the organization's list is
    /// no longer than it should be.
    pub(crate) fn count_key(
        self,
        core: &str,
        organization: Guid,
        row: &KeyRow,
        trimmed: bool,
    ) -> Result<Self, StoreError> {
        row.limits().try_fold(self, |all, limit| match limit {
            Limit::Keys(_) if !trimmed => {
                let listed = format!(
                    "({BELOW_LIMIT}) AND (attribute_not_exists(#listed) OR #listed < :listed)"
                );
                let update = Update::builder()
                    .condition_expression(listed)
                    .expression_attribute_names("#listed", LISTED_REVOKED)
                    .expression_attribute_values(
                        ":listed",
                        AttributeValue::N(trim::MAX_LISTED_REVOKED.to_string()),
                    );
                all.count_if(core, organization, limit, update)
            }
            _ => all.count_one(core, organization, limit),
        })
    }

    fn count_if(
        self,
        core: &str,
        organization: Guid,
        limit: Limit,
        update: UpdateBuilder,
    ) -> Result<Self, StoreError> {
        let max = limit.max();
        let update = update
            .update_expression("ADD n :one, version :one")
            .expression_attribute_names("#max", MAX)
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .expression_attribute_values(":max", AttributeValue::N(max.to_string()));
        let at = item_keys::count(organization, limit);
        self.update(core, at, update, StoreError::LimitReached { limit, max })
    }

    /// Counts so many fewer; no condition holds that up. Those of an organization were revoked.
    fn count_fewer(
        self,
        core: &str,
        organization: Guid,
        limit: Limit,
        fewer: usize,
    ) -> Result<Self, StoreError> {
        let update = Update::builder()
            .expression_attribute_values(":fewer", AttributeValue::N(format!("-{fewer}")))
            .expression_attribute_values(":one", AttributeValue::N("1".into()));
        let update = match limit {
            Limit::Keys(_) => update
                .update_expression("ADD n :fewer, version :one, #listed :more")
                .expression_attribute_names("#listed", LISTED_REVOKED)
                .expression_attribute_values(":more", AttributeValue::N(fewer.to_string())),
            _ => update.update_expression("ADD n :fewer, version :one"),
        };
        let at = item_keys::count(organization, limit);
        self.update(core, at, update, StoreError::Changed)
    }

    /// Marks the row of a key as revoked, to be listed until then, where the row is as it is here.
    /// Where it is not, that is [`StoreError::Changed`].
    pub(crate) fn mark_revoked(
        self,
        core: &str,
        organization: Guid,
        row: &KeyRow,
        until: Timestamp,
    ) -> Result<Self, StoreError> {
        let mark = Update::builder()
            .update_expression(
                "SET revoked = :yes, listed_until = :until, #expires = :expires REMOVE counted_for",
            )
            .expression_attribute_names("#expires", record::EXPIRES)
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":until", record::value(&until)?)
            .expression_attribute_values(":expires", record::expires(until));
        let update = while_counted(mark, row)?;
        self.update(core, row.at(organization), update, StoreError::Changed)
    }

    /// Takes what a row counts for from the counts.
    pub(crate) fn uncount_key(
        self,
        core: &str,
        organization: Guid,
        row: &KeyRow,
    ) -> Result<Self, StoreError> {
        row.limits().try_fold(self, |all, limit| {
            all.count_fewer(core, organization, limit, 1)
        })
    }
}

/// The attribute of a count that has the operator's limit.
const MAX: &str = "max";
/// The attribute of a count of keys that says how many revoked ones are listed.
const LISTED_REVOKED: &str = "listed_revoked";
/// The condition that a limit is not reached.
const BELOW_LIMIT: &str =
    "attribute_not_exists(n) OR n < #max OR (attribute_not_exists(#max) AND n < :max)";

/// The update of a row, under the condition that it counts as it does here.
fn while_counted(update: UpdateBuilder, row: &KeyRow) -> Result<UpdateBuilder, StoreError> {
    let update = update.expression_attribute_values(":no", AttributeValue::Bool(false));
    Ok(match row.counted_for {
        Some(person) => update
            .condition_expression("revoked = :no AND counted_for = :person")
            .expression_attribute_values(":person", record::value(&person)?),
        None => update.condition_expression("revoked = :no AND attribute_not_exists(counted_for)"),
    })
}

impl Store {
    /// The row of a key as it is now; nothing where it was swept.
    pub(crate) async fn key_row(&self, key: &Key) -> Result<Option<KeyRow>, StoreError> {
        let ItemKey { pk, sk } = KeyRow::of(key).at(key.organization);
        let rows = self.query_list(pk, &sk).await?;
        rows.into_iter().next().map(record::read).transpose()
    }

    /// The counts, as they are stored.
    async fn counts(&self, organization: Guid) -> Result<Vec<(Limit, CountRecord)>, StoreError> {
        let items = self
            .query_list(item_keys::list(organization), COUNTS)
            .await?;
        let counts = items.into_iter().filter_map(|item| {
            let limit = Limit::of_count(&ItemKey::of(&item).sk)?;
            Some(record::read(item).map(|count| (limit, count)))
        });
        counts.collect()
    }

    /// How many count for a limit, and how many may, as it is now.
    pub(crate) async fn count_of(
        &self,
        organization: Guid,
        limit: Limit,
    ) -> Result<LimitCount, StoreError> {
        let counts = self.counts(organization).await?;
        let found = counts.into_iter().find(|(of, _)| *of == limit);
        Ok(limit.count(found.map(|(_, record)| record).unwrap_or_default()))
    }

    /// The items of an organization's list whose sort key begins so; strongly consistent.
    async fn query_list(&self, list: String, prefix: &str) -> Result<Vec<Item>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("PK = :list AND begins_with(SK, :prefix)")
            .expression_attribute_values(":list", AttributeValue::S(list))
            .expression_attribute_values(":prefix", AttributeValue::S(prefix.into()))
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.map_err(StoreError::unavailable)?);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_reached_is_told_apart_from_the_others() {
        let person = Guid::from_bytes([7; 16]);
        let told = [
            (Limit::Keys(KeyMode::Sandbox), 10_000),
            (Limit::Keys(KeyMode::Live), 1_234_567),
            (Limit::KeysOf(person), 1_000),
            (Limit::Users, 999),
        ]
        .map(|(limit, max)| limit.reached(max));
        assert_eq!(
            told,
            [
                "The organization may have 10,000 sandbox keys that are not revoked: revoke some",
                "The organization may have 1,234,567 live keys that are not revoked: revoke some",
                "You may make 1,000 keys that work: revoke some",
                "An organization has at most 999 users",
            ]
        );
    }

    #[test]
    fn a_count_is_read_by_where_it_stands() {
        let organization = Guid::from_bytes([1; 16]);
        for limit in [
            Limit::Keys(KeyMode::Sandbox),
            Limit::Keys(KeyMode::Live),
            Limit::KeysOf(Guid::from_bytes([7; 16])),
            Limit::Banks(KeyMode::Live),
            Limit::Users,
        ] {
            let ItemKey { sk, .. } = item_keys::count(organization, limit);
            assert_eq!(Limit::of_count(&sk), Some(limit), "{sk}");
        }
        for other in [item_keys::owner_count(organization).sk, "key#1".into()] {
            assert_eq!(Limit::of_count(&other), None, "{other}");
        }
    }
}
