//! `/api/banks` (CYB-1, CYB-4).

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod update;

use domain::{error::Error, ids::Guid, kind::BankEnvironment, organization::Bank, time::Timestamp};
use serde::Serialize;

use crate::api::Caller;

/// A bank as the API shows it.
#[derive(Serialize)]
pub(crate) struct Response {
    guid: Guid,
    organization_guid: Guid,
    name: String,
    environment: BankEnvironment,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&Bank> for Response {
    fn from(bank: &Bank) -> Self {
        Self {
            guid: bank.guid,
            organization_guid: bank.organization,
            name: bank.name.to_string(),
            environment: bank.environment,
            created_at: bank.created_at,
            updated_at: bank.updated_at,
        }
    }
}

/// Refuses a bank that the caller may not know of: of another organization or kind, or beside the token's own bank.
fn require_visible(caller: &Caller, bank: &Bank) -> Result<(), Error> {
    let own = caller.owner.bank().is_none_or(|own| own == bank.guid);
    let visible = own && bank.organization == caller.organization && bank.environment.kind() == caller.kind;
    if visible { Ok(()) } else { Err(Error::not_found()) }
}

fn guid(text: &str) -> Result<Guid, Error> {
    text.parse().map_err(|_| Error::not_found())
}
