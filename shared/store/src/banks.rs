//! Banks.

use domain::{
    audit::{Action, Origin},
    error::Error,
    ids::Guid,
    key_mode::KeyMode,
    organization::Bank,
};
use serde::{Deserialize, Serialize};

use crate::{
    IdempotencyRecord, Store,
    audit::differences,
    change::{Change, Versioned},
    error::StoreError,
    item_keys::{self, Class},
    limits::Limit,
    record,
    transaction::Transaction,
};

/// What an organization's list knows of a bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankRow {
    /// The bank.
    pub guid: Guid,
    /// Of what kind its keys are.
    pub kind: KeyMode,
}

impl Versioned for Bank {
    fn version(&self) -> u64 {
        self.version
    }

    fn organization(&self) -> Guid {
        self.organization
    }

    fn name(&self) -> String {
        self.guid.to_string()
    }
}

impl Store {
    /// Stores a new bank.
    ///
    /// # Errors
    /// [`StoreError::Replayed`], [`StoreError::LimitReached`], [`StoreError::Exists`], and what any
    /// change can meet.
    pub async fn create_bank(
        &self,
        bank: &Bank,
        idempotency: Option<&IdempotencyRecord>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let row = BankRow {
            guid: bank.guid,
            kind: bank.environment.kind(),
        };
        let core = &self.tables.core;
        self.commit(|now| {
            let row_at =
                item_keys::list_row(bank.organization, Class::Bank, bank.created_at, bank.guid);
            Transaction::default()
                .idempotency(self, now, idempotency)?
                .create(core, record::write(item_keys::gate(bank.guid), bank)?)?
                .create(core, record::write(row_at, &row)?)?
                .count_one(core, bank.organization, Limit::Banks(row.kind))?
                .audit(
                    self,
                    now,
                    bank.organization,
                    Action::BankCreate,
                    &bank.guid,
                    origin,
                    differences(&(), bank),
                )
        })
        .await
    }

    /// A bank as it is now. An organization's `guid` is not a bank's.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn bank(&self, guid: Guid) -> Result<Option<Bank>, StoreError> {
        of_gate(guid, self.read(item_keys::gate(guid)).await?)
    }

    /// Every bank of an organization, in order of creation.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn bank_rows(&self, organization: Guid) -> Result<Vec<BankRow>, StoreError> {
        self.rows(organization, Class::Bank).await
    }

    /// These banks as they are now, in the same order.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn banks(
        &self,
        guids: impl IntoIterator<Item = Guid>,
    ) -> Result<Vec<Bank>, StoreError> {
        self.read_all(guids.into_iter().map(item_keys::gate).collect())
            .await
    }

    /// Changes a bank to what `decide` makes of it, as [`Store::change_key`] does.
    ///
    /// # Errors
    /// What `decide` refuses; the 404 of a bank that is not there.
    pub async fn change_bank(
        &self,
        guid: Guid,
        origin: &Origin,
        decide: impl Fn(Bank) -> Result<Bank, Error>,
    ) -> Result<Bank, Error> {
        // An organization's gate has such a key too.
        self.bank(guid).await?.ok_or_else(Error::not_found)?;
        self.update(
            &item_keys::gate(guid),
            Action::BankUpdate,
            origin,
            |bank: Bank| {
                let next = decide(bank.clone())?;
                Ok((!differences(&bank, &next).is_empty()).then(|| Change::quiet(next)))
            },
        )
        .await
    }
}

/// The bank whose gate this is. Gates of organizations and banks share a key pattern; what has no
/// bank's environment is none.
pub(crate) fn of_gate(
    guid: Guid,
    gate: Option<serde_json::Value>,
) -> Result<Option<Bank>, StoreError> {
    let bank = gate
        .filter(|gate| gate.get("environment").is_some())
        .map(serde_json::from_value)
        .transpose();
    bank.map_err(|error| StoreError::Corrupt(format!("bank {guid}: {error}")))
}
