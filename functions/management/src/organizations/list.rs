//! Lists the organizations that the caller may know of, in order of creation: its own, or for staff
//! every customer's.

use axum::{Json, extract::State, http::Uri};
use domain::operation::Operation;
use serde::Deserialize;
use web::{
    dialect::Management,
    extract::{self, List, Page},
    openapi::{BadQuery, CommonErrors, Paging},
};

use super::Response;
use crate::api::{Api, Caller};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    page: Option<String>,
    per_page: Option<String>,
}

/// Lists organizations.
#[utoipa::path(get, path = "/api/organizations", params(Paging),
    responses((status = 200, body = List<Response>), CommonErrors, BadQuery))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<List<Response>>, Management> {
    api.require_now(&caller, Operation::ListOrganizations)
        .await?;
    let query: Query = extract::query(uri.query())?;
    let page = Page::parse(query.page.as_deref(), query.per_page.as_deref())?;
    let mut guids = if caller.is_staff() {
        api.store.organization_rows().await?
    } else {
        vec![caller.organization]
    };
    guids.retain(|guid| caller.sees_organization(*guid));
    let shown = api
        .store
        .organizations(page.cut(&guids).iter().copied())
        .await?;
    let now = api.now();
    Ok(Json(page.envelope(
        guids.len(),
        shown.iter().map(|one| Response::of(one, now)).collect(),
    )))
}
