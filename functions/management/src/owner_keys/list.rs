//! Lists the keys that the caller may know of, in order of creation (CYB-3).

use axum::{Json, extract::State, http::Uri};
use domain::{authority::Target, error::Error, ids::Guid, key::Owner};
use serde::Deserialize;
use utoipa::IntoParams;
use web::{
    dialect::Management,
    extract::{self, List, Page},
    openapi::{BadQuery, CommonErrors, NotFound, Paging, schema},
};

use super::{Family, OwnerKey};
use crate::api::{Api, Caller};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    #[param(ignore)]
    page: Option<String>,
    #[param(ignore)]
    per_page: Option<String>,
    /// Only this bank's.
    #[param(value_type = Option<schema::Guid>)]
    bank_guid: Option<String>,
    /// Of platform staff alone, and required of them.
    #[param(value_type = Option<schema::Guid>)]
    organization_guid: Option<String>,
}

/// Lists keys.
#[utoipa::path(get, path = "", params(Paging, Query),
    responses((status = 200, body = List<OwnerKey>), CommonErrors, NotFound, BadQuery))]
pub(crate) async fn list<F: Family>(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<List<OwnerKey>>, Management> {
    caller.require(F::LIST)?;
    let query: Query = extract::query(uri.query())?;
    let page = Page::parse(query.page.as_deref(), query.per_page.as_deref())?;
    let only = bank_filter(&caller, query.bank_guid.as_deref())?;
    let organization = caller.organization_of(query.organization_guid.as_deref())?;
    let snapshot = api.caller_snapshot(&caller).await?;
    let authority = snapshot.authority();
    let gate = api.gate_of(&snapshot, organization).await?;
    let rows = api.store.key_rows(organization).await?;
    let shown = rows.into_iter().filter(|row| {
        let target = Target {
            organization,
            owner: row.owner,
            kind: row.kind,
        };
        let revoked = row.revoked || gate.revokes(row.owner, row.kind, row.created_at);
        let visible = F::has(row.owner) && !revoked && authority.sees(target);
        visible
            && only.is_none_or(|bank| row.owner == Owner::Bank(bank))
            && authority.permits(F::LIST, target).is_ok()
    });
    let client_ids: Vec<_> = shown.map(|row| row.client_id).collect();
    let keys = api
        .store
        .keys(page.cut(&client_ids).iter().copied())
        .await?;
    Ok(Json(page.envelope(
        client_ids.len(),
        keys.iter().map(OwnerKey::from).collect(),
    )))
}

/// The bank whose keys alone are asked for. A bank's token has its own bank, whatever it names
/// (CYB-4).
fn bank_filter(caller: &Caller, named: Option<&str>) -> Result<Option<Guid>, Error> {
    match named.filter(|_| caller.owner.bank().is_none()) {
        None => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|reason: &str| Error::field("bank_guid", reason)),
    }
}
