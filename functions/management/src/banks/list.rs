//! Lists the banks that the caller may know of, in order of creation.

use axum::{Json, extract::State, http::Uri};
use domain::operation::Operation;
use serde::Deserialize;
use store::BankRow;
use utoipa::IntoParams;
use web::{
    dialect::Management,
    extract::{self, List, Page},
    openapi::{BadQuery, CommonErrors, NotFound, Paging, schema},
};

use super::Response;
use crate::api::{Api, Caller};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Query {
    #[param(ignore)]
    page: Option<String>,
    #[param(ignore)]
    per_page: Option<String>,
    /// Of platform staff, who must name it: the organization.
    #[param(value_type = Option<schema::Guid>)]
    organization_guid: Option<String>,
    /// Accepted from a bank's token, and ignored (CYB-4).
    #[param(ignore)]
    bank_guid: Option<String>,
}

/// Lists banks.
#[utoipa::path(get, path = "/api/banks", params(Paging, Query),
    responses((status = 200, body = List<Response>), CommonErrors, NotFound, BadQuery))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<List<Response>>, Management> {
    api.require_now(&caller, Operation::ListBanks).await?;
    let query: Query = extract::query(uri.query())?;
    caller.require_no_bank(
        query.bank_guid.is_some(),
        "is not a parameter that this takes",
    )?;
    let page = Page::parse(query.page.as_deref(), query.per_page.as_deref())?;
    let organization = api
        .organization_of(&caller, query.organization_guid.as_deref())
        .await?;
    let rows = api.store.bank_rows(organization).await?;
    let visible = |row: &&BankRow| {
        caller.sees(organization, row.kind) && caller.owner.bank().is_none_or(|own| own == row.guid)
    };
    let guids: Vec<_> = rows.iter().filter(visible).map(|row| row.guid).collect();
    let banks = api.store.banks(page.cut(&guids).iter().copied()).await?;
    Ok(Json(page.envelope(
        guids.len(),
        banks.iter().map(Response::from).collect(),
    )))
}
