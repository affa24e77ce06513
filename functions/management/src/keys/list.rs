//! Lists the keys that the caller may see, whatever their owners and states, in order of creation.

use axum::{Json, extract::State, http::Uri};
use domain::{
    authority::Target,
    error::Error,
    gate::OrganizationGate,
    ids::{ClientId, Guid},
    key::Effective,
    key_mode::KeyMode,
    operation::Operation,
};
use serde::Deserialize;
use store::KeyRow;
use utoipa::IntoParams;
use web::{
    dialect::Management,
    extract::{self, List, Page},
    openapi::{BadQuery, CommonErrors, NotFound, Paging, schema},
};

use super::{
    gate_cache::GateCache,
    members::Reader,
    shape::{OwnerType, Response},
};
use crate::api::{Api, Caller};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    #[param(ignore)]
    page: Option<String>,
    #[param(ignore)]
    per_page: Option<String>,
    /// Only keys of such owners.
    #[param(value_type = Option<OwnerType>)]
    owner_type: Option<String>,
    /// Only this owner's.
    #[param(value_type = Option<schema::Guid>)]
    owner_guid: Option<String>,
    /// Only this bank's; short for `owner_type=bank` and `owner_guid`.
    #[param(value_type = Option<schema::Guid>)]
    bank_guid: Option<String>,
    #[param(value_type = Option<schema::Kind>)]
    environment: Option<String>,
    /// Only those that are this now.
    #[param(value_type = Option<schema::KeyState>)]
    state: Option<String>,
    /// Of platform staff alone, and required of them.
    #[param(value_type = Option<schema::Guid>)]
    organization_guid: Option<String>,
}

/// Lists keys.
///
/// A revoked key is listed for 90 days; of each kind, the newest 10,000 are.
#[utoipa::path(get, path = "/api/keys", params(Paging, Query),
    responses((status = 200, body = List<Response>), CommonErrors, NotFound, BadQuery))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<List<Response>>, Management> {
    caller.require(Operation::ListKeys)?;
    let query: Query = extract::query(uri.query())?;
    let page = Page::parse(query.page.as_deref(), query.per_page.as_deref())?;
    let filter = Filter::read(&caller, &query)?;
    let organization = caller.organization_of(query.organization_guid.as_deref())?;
    let snapshot = api.caller_snapshot(&caller).await?;
    let authority = snapshot.authority();
    let gate = api.gate_of(&snapshot, organization).await?;
    let mut rows = api.store.key_rows(organization).await?;
    rows.retain(|row| {
        let target = Target {
            organization,
            owner: row.owner,
            kind: row.kind,
        };
        authority.sees(target)
            && authority.permits(Operation::ListKeys, target).is_ok()
            && filter.admits(row, &gate)
    });
    let client_ids: Vec<ClientId> = rows.iter().map(|row| row.client_id).collect();
    let now = api.now();
    // Whether a key is revoked shows in its row; what else it is now does not.
    let by_state = filter.state.filter(|state| *state != Effective::Revoked);
    let wanted = if by_state.is_some() {
        &client_ids
    } else {
        page.cut(&client_ids)
    };
    let mut keys = api.store.keys(wanted.iter().copied()).await?;
    let mut gates = GateCache::read(&api, gate, &keys).await?;
    let mut total = client_ids.len();
    if let Some(state) = by_state {
        keys.retain(|key| key.effective(gates.of(key), now) == state);
        total = keys.len();
        keys = page.cut(&keys).to_vec();
    }
    let shown = keys
        .iter()
        .map(|key| Response::new(&api, authority, key, gates.of(key)))
        .collect();
    Ok(Json(page.envelope(total, shown)))
}

/// Which keys are asked for; all conditions hold together.
struct Filter {
    owner_type: Option<OwnerType>,
    owner: Option<Guid>,
    bank: Option<Guid>,
    kind: Option<KeyMode>,
    state: Option<Effective>,
}

impl Filter {
    fn read(caller: &Caller, query: &Query) -> Result<Self, Error> {
        let mut reader = Reader::default();
        // A bank's token has its own bank, whatever it names (CYB-4).
        let bank_guid = query
            .bank_guid
            .as_deref()
            .filter(|_| caller.owner.bank().is_none());
        let filter = Self {
            owner_type: reader.text("owner_type", query.owner_type.as_deref(), str::parse),
            owner: reader.text("owner_guid", query.owner_guid.as_deref(), str::parse),
            bank: reader.text("bank_guid", bank_guid, str::parse),
            kind: reader.text("environment", query.environment.as_deref(), str::parse),
            state: reader.text("state", query.state.as_deref(), state),
        };
        reader.finish(Some(filter))
    }

    /// Whether a key may be among those asked for, as far as its row tells.
    fn admits(&self, row: &KeyRow, gate: &OrganizationGate) -> bool {
        let revoked = row.revoked || gate.revokes(row.owner, row.kind, row.created_at);
        self.owner_type
            .is_none_or(|of| of.owner(row.owner.guid()) == row.owner)
            && self.owner.is_none_or(|of| of == row.owner.guid())
            && self.bank.is_none_or(|of| row.owner.bank() == Some(of))
            && self.kind.is_none_or(|of| of == row.kind)
            && self
                .state
                .is_none_or(|of| revoked == (of == Effective::Revoked))
    }
}

fn state(text: &str) -> Result<Effective, &'static str> {
    match text {
        "inactive" => Ok(Effective::Inactive),
        "active" => Ok(Effective::Active),
        "deactivated" => Ok(Effective::Deactivated),
        "expired" => Ok(Effective::Expired),
        "revoked" => Ok(Effective::Revoked),
        _ => Err("must be inactive, active, deactivated, expired or revoked"),
    }
}
