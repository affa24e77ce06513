//! Lists the keys that the caller may know of, in order of creation (CYB-3).

use axum::{Json, extract::State, http::Uri};
use domain::{error::Error, ids::Guid, key::Owner};
use serde::Deserialize;
use web::{
    dialect::Management,
    extract::{self, List, Page},
};

use super::{Application, Family, may_see};
use crate::api::{Api, Caller};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    page: Option<String>,
    per_page: Option<String>,
    bank_guid: Option<String>,
}

pub(super) async fn list<F: Family>(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<List<Application>>, Management> {
    caller.require(F::LIST)?;
    let query: Query = extract::query(uri.query())?;
    let page = Page::parse(query.page.as_deref(), query.per_page.as_deref())?;
    let only = bank_filter(&caller, query.bank_guid.as_deref())?;
    let rows = api.store.key_rows(caller.organization).await?;
    let shown = rows.into_iter().filter(|row| {
        let visible = !row.revoked && F::has(row.owner) && may_see(&caller, caller.organization, row.kind, row.owner);
        visible && only.is_none_or(|bank| row.owner == Owner::Bank(bank))
    });
    let client_ids: Vec<_> = shown.map(|row| row.client_id).collect();
    let keys = api.store.keys(page.cut(&client_ids).iter().copied()).await?;
    Ok(Json(page.envelope(client_ids.len(), keys.iter().map(Application::from).collect())))
}

/// The bank whose keys alone are asked for. A bank's token has its own bank, whatever it names (CYB-4).
fn bank_filter(caller: &Caller, named: Option<&str>) -> Result<Option<Guid>, Error> {
    match (caller.owner, named) {
        (Owner::Bank(_), _) | (_, None) => Ok(None),
        (Owner::Organization(_), Some(text)) => text.parse().map(Some).map_err(|reason: &str| Error::field("bank_guid", reason)),
    }
}
