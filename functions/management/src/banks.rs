//! `/api/banks` (CYB-1, CYB-4).

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod update;

use domain::{
    error::Error, ids::Guid, key_mode::BankEnvironment, organization::Bank, time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;
use web::openapi::schema;

use crate::api::Caller;

/// A bank.
#[derive(Serialize, ToSchema)]
#[schema(as = Bank)]
pub(crate) struct Response {
    #[schema(value_type = schema::Guid)]
    guid: Guid,
    /// Whom it belongs to.
    #[schema(value_type = schema::Guid)]
    organization_guid: Guid,
    name: String,
    /// Fixed for life; decides the kind of its keys.
    #[schema(value_type = schema::BankEnvironment)]
    environment: BankEnvironment,
    #[schema(value_type = schema::Timestamp)]
    created_at: Timestamp,
    #[schema(value_type = schema::Timestamp)]
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

/// Refuses a bank that the caller may not know of: of another organization or kind, or beside the
/// token's own bank.
fn require_visible(caller: &Caller, bank: &Bank) -> Result<(), Error> {
    let own = caller.owner.bank().is_none_or(|own| own == bank.guid);
    if own && caller.sees(bank.organization, bank.environment.kind()) {
        Ok(())
    } else {
        Err(Error::not_found())
    }
}

fn guid(text: &str) -> Result<Guid, Error> {
    text.parse().map_err(|_| Error::not_found())
}
