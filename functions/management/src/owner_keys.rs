//! `/api/bank_applications` and `/api/organization_applications` (CYB-3): the same five operations
//! over the keys of banks and of organizations.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod update;

use axum::{Router, routing::get};
use domain::{
    error::{Error, Kind},
    ids::{ClientId, Guid},
    key::{Key, Owner},
    operation::Operation,
    scope::Holder,
    time::Timestamp,
};
use serde::Serialize;
use serde_json::Value;
use store::KeyView;
use utoipa::ToSchema;
use web::openapi::schema;

use crate::api::{Api, Caller};

/// One of the two families of keys.
pub(crate) trait Family: Send + Sync + 'static {
    /// The path of the collection.
    const PATH: &'static str;
    /// The path of one.
    const ITEM_PATH: &'static str;
    /// Whose scopes its keys hold.
    const HOLDER: Holder;
    const LIST: Operation;
    const CREATE: Operation;
    const READ: Operation;
    const UPDATE: Operation;
    const DELETE: Operation;

    /// Whether a key of this owner belongs to the family.
    fn has(owner: Owner) -> bool {
        owner.holder() == Some(Self::HOLDER)
    }

    /// Whose key a creation makes, from the caller and the `bank_guid` that it names.
    fn owner(caller: &Caller, bank_guid: Option<&Value>) -> Result<Owner, Error>;
}

/// Keys of banks.
pub(crate) enum BankApplications {}

/// Keys of organizations.
pub(crate) enum OrganizationApplications {}

impl Family for BankApplications {
    const PATH: &'static str = "/api/bank_applications";
    const ITEM_PATH: &'static str = "/api/bank_applications/{client_id}";
    const HOLDER: Holder = Holder::Bank;
    const LIST: Operation = Operation::ListBankApplications;
    const CREATE: Operation = Operation::CreateBankApplication;
    const READ: Operation = Operation::ReadBankApplication;
    const UPDATE: Operation = Operation::UpdateBankApplication;
    const DELETE: Operation = Operation::DeleteBankApplication;

    /// CYB-4: a bank token makes keys of its bank, whatever it names; everybody else must name a
    /// bank of their organization and kind. A bank of somebody else is refused with the words for
    /// no bank at all.
    fn owner(caller: &Caller, bank_guid: Option<&Value>) -> Result<Owner, Error> {
        if let Owner::Bank(own) = caller.owner {
            return Ok(Owner::Bank(own));
        }
        let named = bank_guid.ok_or_else(|| {
            Error::field(
                "bank_guid",
                "is required: name the bank that the key is for",
            )
        })?;
        let none = || {
            Error::field(
                "bank_guid",
                format!("names no {} bank of this organization", caller.kind),
            )
        };
        let named = named
            .as_str()
            .ok_or_else(|| Error::field("bank_guid", "must be a string"))?;
        named.parse().map(Owner::Bank).map_err(|_| none())
    }
}

impl Family for OrganizationApplications {
    const PATH: &'static str = "/api/organization_applications";
    const ITEM_PATH: &'static str = "/api/organization_applications/{client_id}";
    const HOLDER: Holder = Holder::Organization;
    const LIST: Operation = Operation::ListOrganizationApplications;
    const CREATE: Operation = Operation::CreateOrganizationApplication;
    const READ: Operation = Operation::ReadOrganizationApplication;
    const UPDATE: Operation = Operation::UpdateOrganizationApplication;
    const DELETE: Operation = Operation::DeleteOrganizationApplication;

    fn owner(caller: &Caller, bank_guid: Option<&Value>) -> Result<Owner, Error> {
        match (caller.owner, bank_guid) {
            (Owner::Bank(_), _) => Err(Error::new(
                Kind::Forbidden,
                "A bank's token makes no keys of its organization",
            )),
            (_, Some(_)) => Err(Error::field("bank_guid", "is not a member that this takes")),
            (_, None) => Ok(Owner::Organization(caller.organization)),
        }
    }
}

/// The routes of a family.
pub(crate) fn routes<F: Family>() -> Router<Api> {
    Router::new()
        .route(F::PATH, get(list::list::<F>).post(create::create::<F>))
        .route(
            F::ITEM_PATH,
            get(read::read::<F>)
                .patch(update::update::<F>)
                .delete(delete::delete::<F>),
        )
}

/// The key that the path names, for an operation of this caller, if it is of this family; revoked
/// or not.
async fn view<F: Family>(
    api: &Api,
    caller: &Caller,
    operation: Operation,
    text: &str,
) -> Result<KeyView, Error> {
    caller.require(operation)?;
    let view = api.view_key(caller, operation, text).await?;
    if F::has(view.key().owner) {
        Ok(view)
    } else {
        Err(Error::not_found())
    }
}

/// The same, unless it was revoked, by itself or with many others (LEAK-8).
async fn view_living<F: Family>(
    api: &Api,
    caller: &Caller,
    operation: Operation,
    text: &str,
) -> Result<KeyView, Error> {
    let view = view::<F>(api, caller, operation, text).await?;
    if view.authorized(api.now())?.key().is_revoked() {
        Err(Error::not_found())
    } else {
        Ok(view)
    }
}

/// A key as CYB-3 shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = Application)]
pub(crate) struct OwnerKey {
    name: String,
    #[schema(value_type = schema::Guid)]
    guid: Guid,
    #[schema(value_type = schema::ClientId)]
    client_id: ClientId,
    #[schema(value_type = Vec<schema::Scope>)]
    scopes: Vec<String>,
    #[schema(value_type = Vec<schema::AllowlistEntry>)]
    ip_allowlist: Vec<String>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = schema::Timestamp)]
    created_at: Timestamp,
    #[schema(value_type = schema::Timestamp)]
    updated_at: Timestamp,
}

impl From<&Key> for OwnerKey {
    fn from(key: &Key) -> Self {
        Self {
            name: key.name.to_string(),
            guid: key.client_id.guid(),
            client_id: key.client_id,
            scopes: key.scopes.iter().map(ToString::to_string).collect(),
            ip_allowlist: key.ip_allowlist.entries().collect(),
            expires_at: key.expires_at,
            created_at: key.created_at,
            updated_at: key.updated_at,
        }
    }
}
