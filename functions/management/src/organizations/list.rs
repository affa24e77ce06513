//! Lists the organizations that the caller may know of: its own.

use axum::{Json, extract::State, http::Uri};
use domain::error::Error;
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
}

pub(crate) async fn list(State(api): State<Api>, caller: Caller, uri: Uri) -> Result<Json<List<Response>>, Management> {
    caller.require(&["organizations:read"])?;
    let query: Query = extract::query(uri.query())?;
    let page = Page::parse(query.page.as_deref(), query.per_page.as_deref())?;
    let own = [api.store.organization(caller.organization).await?.ok_or_else(Error::not_found)?];
    let shown = page.cut(&own).iter().map(|own| Response::new(&own.organization, own.gate)).collect();
    Ok(Json(page.envelope(own.len(), shown)))
}
