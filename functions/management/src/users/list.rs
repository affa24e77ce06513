//! Lists the users of an organization, in order of creation; who was disabled is among them.

use axum::{Json, extract::State, http::Uri};
use domain::{error::Error, ids::Guid, operation::Operation, role::Role};
use serde::Deserialize;
use store::UserRow;
use utoipa::IntoParams;
use web::{
    dialect::Management,
    extract::{self, List, Page},
    openapi::{BadQuery, CommonErrors, NotFound, Paging, schema},
};

use super::{Response, require_no_bank_token};
use crate::api::{Api, Caller};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Query {
    #[param(ignore)]
    page: Option<String>,
    #[param(ignore)]
    per_page: Option<String>,
    /// Only these: identifiers, at most 100, separated by commas.
    #[param(pattern = "^[0-9a-f]{32}(,[0-9a-f]{32}){0,99}$")]
    guid: Option<String>,
    /// Only users of this role.
    #[param(value_type = Option<schema::Role>)]
    role: Option<String>,
    /// Only users in this state.
    #[param(value_type = Option<schema::UserState>)]
    state: Option<String>,
    /// Of platform staff, who must name it: the organization.
    #[param(value_type = Option<schema::Guid>)]
    organization_guid: Option<String>,
}

/// Lists users.
#[utoipa::path(get, path = "/api/users", params(Paging, Query),
    responses((status = 200, body = List<Response>), CommonErrors, NotFound, BadQuery))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<List<Response>>, Management> {
    api.require_now(&caller, Operation::ListUsers).await?;
    require_no_bank_token(&caller)?;
    let query: Query = extract::query(uri.query())?;
    let page = Page::parse(query.page.as_deref(), query.per_page.as_deref())?;
    let filter = Filter::parse(&query)?;
    let organization = api
        .organization_of(&caller, query.organization_guid.as_deref())
        .await?;
    let rows = api.store.user_rows(organization).await?;
    let guids: Vec<_> = rows
        .iter()
        .filter(|row| filter.admits(row))
        .map(|row| row.guid)
        .collect();
    let users = api.store.users(page.cut(&guids).iter().copied()).await?;
    Ok(Json(page.envelope(
        guids.len(),
        users.iter().map(Response::from).collect(),
    )))
}

/// Which users are asked for.
struct Filter {
    guids: Option<Vec<Guid>>,
    role: Option<Role>,
    disabled: Option<bool>,
}

impl Filter {
    fn parse(query: &Query) -> Result<Self, Error> {
        let guids = query.guid.as_deref().map(|list| {
            list.split(',')
                .map(str::parse)
                .collect::<Result<Vec<_>, _>>()
        });
        let guids = guids
            .transpose()
            .map_err(|_| Error::field("guid", "must be identifiers separated by commas"))?;
        if guids.as_ref().is_some_and(|guids| guids.len() > 100) {
            return Err(Error::field("guid", "must be at most 100 identifiers"));
        }
        let role = query.role.as_deref().map(str::parse).transpose();
        let disabled = match query.state.as_deref() {
            None => None,
            Some("active") => Some(false),
            Some("disabled") => Some(true),
            Some(_) => return Err(Error::field("state", "must be active or disabled")),
        };
        Ok(Self {
            guids,
            role: role.map_err(|reason: &str| Error::field("role", reason))?,
            disabled,
        })
    }

    fn admits(&self, row: &UserRow) -> bool {
        self.guids
            .as_ref()
            .is_none_or(|only| only.contains(&row.guid))
            && self.role.is_none_or(|role| role == row.role)
            && self
                .disabled
                .is_none_or(|disabled| disabled == row.disabled)
    }
}
