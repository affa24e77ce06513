//! `/api/bank_applications` and `/api/organization_applications` (CYB-3): the same five operations over the keys of banks
//! and of organizations.

mod create;
mod delete;
mod list;
mod read;
mod update;

use axum::{Router, routing::get};
use domain::{
    error::Error,
    ids::{ClientId, Guid},
    key::{Key, Owner},
    kind::Kind,
    time::Timestamp,
};
use serde::Serialize;
use serde_json::Value;

use crate::api::{Api, Caller};

/// One of the two families of keys.
pub(crate) trait Family: Send + Sync + 'static {
    /// The path of the collection.
    const PATH: &'static str;
    /// The path of one.
    const ITEM_PATH: &'static str;
    /// Scopes of which any one lists (CYB-11).
    const LIST: &'static [&'static str];
    /// The scope that gets one.
    const READ: &'static str;
    /// The scope that updates.
    const WRITE: &'static str;
    /// The scope that creates and deletes.
    const EXECUTE: &'static str;

    /// Whether a key of this owner belongs to the family.
    fn has(owner: Owner) -> bool;

    /// Whose key a creation makes, from the caller and the `bank_guid` that it names.
    fn owner(api: &Api, caller: &Caller, bank_guid: Option<&Value>) -> impl Future<Output = Result<Owner, Error>> + Send;
}

/// Keys of banks.
pub(crate) enum BankApplications {}

/// Keys of organizations.
pub(crate) enum OrganizationApplications {}

impl Family for BankApplications {
    const PATH: &'static str = "/api/bank_applications";
    const ITEM_PATH: &'static str = "/api/bank_applications/{client_id}";
    const LIST: &'static [&'static str] = &["bank_applications:read", "banks:read", "organizations:read"];
    const READ: &'static str = "bank_applications:read";
    const WRITE: &'static str = "bank_applications:write";
    const EXECUTE: &'static str = "bank_applications:execute";

    fn has(owner: Owner) -> bool {
        matches!(owner, Owner::Bank(_))
    }

    /// CYB-4: a bank token makes keys of its bank, whatever it names; an organization token must name a bank of its
    /// organization and kind. A bank of somebody else is refused with the words for no bank at all.
    async fn owner(api: &Api, caller: &Caller, bank_guid: Option<&Value>) -> Result<Owner, Error> {
        if let Owner::Bank(own) = caller.owner {
            return Ok(Owner::Bank(own));
        }
        let named = bank_guid.ok_or_else(|| Error::field("bank_guid", "is required: name the bank that the key is for"))?;
        let none = || Error::field("bank_guid", format!("names no {} bank of this organization", caller.kind));
        let named = named.as_str().ok_or_else(|| Error::field("bank_guid", "must be a string"))?;
        let guid: Guid = named.parse().map_err(|_| none())?;
        let bank = api.store.bank(guid).await?.ok_or_else(none)?;
        if bank.organization == caller.organization && bank.environment.kind() == caller.kind {
            Ok(Owner::Bank(guid))
        } else {
            Err(none())
        }
    }
}

impl Family for OrganizationApplications {
    const PATH: &'static str = "/api/organization_applications";
    const ITEM_PATH: &'static str = "/api/organization_applications/{client_id}";
    const LIST: &'static [&'static str] = &["organization_applications:read", "organizations:read"];
    const READ: &'static str = "organization_applications:read";
    const WRITE: &'static str = "organization_applications:write";
    const EXECUTE: &'static str = "organization_applications:execute";

    fn has(owner: Owner) -> bool {
        matches!(owner, Owner::Organization(_))
    }

    async fn owner(_api: &Api, caller: &Caller, bank_guid: Option<&Value>) -> Result<Owner, Error> {
        match (caller.owner, bank_guid) {
            (Owner::Organization(_), Some(_)) => Err(Error::field("bank_guid", "is not a member that this takes")),
            (Owner::Organization(own), None) => Ok(Owner::Organization(own)),
            (Owner::Bank(_), _) => {
                Err(Error::new(domain::error::Kind::Forbidden, "A bank's token makes no keys of its organization"))
            }
        }
    }
}

/// The routes of a family.
pub(crate) fn routes<F: Family>() -> Router<Api> {
    Router::new()
        .route(F::PATH, get(list::list::<F>).post(create::create::<F>))
        .route(F::ITEM_PATH, get(read::read::<F>).patch(update::update::<F>).delete(delete::delete::<F>))
}

/// Whether the caller may know of a key: of its organization and kind, and a bank's token only of its bank's.
pub(crate) fn may_see(caller: &Caller, organization: Guid, kind: Kind, owner: Owner) -> bool {
    organization == caller.organization && kind == caller.kind && (caller.owner.bank().is_none() || caller.owner == owner)
}

/// The key that the path names, if it is of this family and the caller may know of it; revoked or not.
async fn find<F: Family>(api: &Api, caller: &Caller, text: &str) -> Result<Key, Error> {
    let client_id = web::extract::client_id(text)?;
    let key = api.store.key(client_id).await?.ok_or_else(Error::not_found)?;
    require_visible::<F>(caller, &key)?;
    Ok(key)
}

fn require_visible<F: Family>(caller: &Caller, key: &Key) -> Result<(), Error> {
    let visible = F::has(key.owner) && may_see(caller, key.organization, key.kind, key.owner);
    if visible { Ok(()) } else { Err(Error::not_found()) }
}

/// A key as CYB-3 shows it.
#[derive(Serialize)]
struct Application {
    name: String,
    guid: Guid,
    client_id: ClientId,
    scopes: Vec<String>,
    ip_allowlist: Vec<String>,
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&Key> for Application {
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
