//! Lists the banks that the caller may know of, in order of creation.

use axum::{Json, extract::State, http::Uri};
use serde::Deserialize;
use web::{
    dialect::Management,
    extract::{self, List, Page},
};

use super::Response;
use crate::api::{Api, Caller};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    page: Option<String>,
    per_page: Option<String>,
    /// Accepted from a bank's token, and ignored (CYB-4).
    bank_guid: Option<String>,
}

pub(crate) async fn list(State(api): State<Api>, caller: Caller, uri: Uri) -> Result<Json<List<Response>>, Management> {
    caller.require(&["banks:read"])?;
    let query: Query = extract::query(uri.query())?;
    caller.require_no_bank(query.bank_guid.is_some(), "is not a parameter that this takes")?;
    let page = Page::parse(query.page.as_deref(), query.per_page.as_deref())?;
    let mut guids = api.store.banks_of(caller.organization, caller.kind).await?;
    guids.retain(|guid| caller.owner.bank().is_none_or(|own| own == *guid));
    let banks = api.store.banks(page.cut(&guids).iter().copied()).await?;
    Ok(Json(page.envelope(guids.len(), banks.iter().map(Response::from).collect())))
}
