//! Revokes many keys in one audited call (LEAK-8), after a dry run that shows what it hits. A
//! cohort is one write and one entry of the feed, however many keys it has; keys that are named are
//! revoked one by one, in order. All of it is final.
//!
//! Which keys count as made before the call, whatever the clocks of their makers say, is argued in
//! `domain::gate`, `window.rs`.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    audit::Origin,
    error::{Error, Kind},
    feed::Cohort,
    gate::OrganizationGate,
    ids::Guid,
    operation::Operation,
};
use store::{Store, StoreError};
use web::{
    dialect::Management,
    extract,
    openapi::{BadBody, CommonErrors, Conflict, NotFound},
};

use super::{
    order::{Body, Found},
    radius::Radius,
};
use crate::api::{Api, Caller};

/// Times that an incident is chosen again: because another one came between, or because it took too
/// long.
const MAX_ATTEMPTS: u32 = 8;

/// A person needs both scopes to run or preview a bulk revocation, since it can affect keys of
/// every owner type.
const SCOPES: [&str; 2] = [
    "bank_applications:execute",
    "organization_applications:execute",
];

/// Revokes many keys.
///
/// For good: within five seconds of the answer they and every token that they obtained are refused
/// everywhere. With `dry_run` it does nothing and tells what it would do. People of the
/// organization need both `bank_applications:execute` and `organization_applications:execute`.
#[utoipa::path(post, path = "/api/incidents/revoke", request_body = Body,
    responses((status = 200, body = Radius), CommonErrors, NotFound, BadBody, Conflict))]
pub(crate) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<Json<Radius>, Management> {
    caller.require(Operation::RevokeIncident)?;
    let (parts, body) = request.into_parts();
    let body: Body = extract::json(&parts.headers, body).await?;
    let (reason, order) = body.read(api.now())?;
    let organization = caller.organization_of(body.organization_guid.as_deref())?;
    let authority = api.caller_authority(&caller).await?;
    authority.require(Operation::RevokeIncident)?;
    authority.require_all(&SCOPES)?;
    let gate = gate(&api, organization).await?;
    let found = order.find(&api, &caller, organization).await?;
    let radius = Radius::measure(&api, &caller, organization, &gate, &found, body.dry_run).await?;
    if body.dry_run {
        return Ok(Json(radius));
    }
    if radius.includes_caller && !body.include_caller {
        let message = "The key that makes this call is among them: send include_caller, or make \
                       the call by another key";
        return Err(Error::new(Kind::Conflict, message).into());
    }
    let origin = Origin {
        reason: Some(reason.as_str().to_owned()),
        ..caller.origin()
    };
    let store = api.store.on_behalf_of(&authority.behalf);
    let cohort = match &found {
        Found::Keys(keys) => {
            // Its own last: a revoked key revokes nothing more.
            let (own, others): (Vec<_>, Vec<_>) = keys
                .iter()
                .partition(|key| key.client_id == caller.client_id);
            for key in others.into_iter().chain(own) {
                store.revoke_key(key, &origin).await?;
            }
            None
        }
        Found::Cohort { .. } => {
            Some(revoke_cohort(&api, &store, organization, &found, &origin).await?)
        }
    };
    Ok(Json(radius.done(cohort)))
}

async fn gate(api: &Api, organization: Guid) -> Result<OrganizationGate, Error> {
    Ok(api
        .store
        .organization(organization)
        .await?
        .ok_or_else(Error::not_found)?
        .gate)
}

/// Revokes a cohort whose window ends late enough for what was made before, whatever else happened
/// in between.
async fn revoke_cohort(
    api: &Api,
    store: &Store,
    organization: Guid,
    found: &Found,
    origin: &Origin,
) -> Result<Cohort, Error> {
    let mut store = store;
    for _ in 0..MAX_ATTEMPTS {
        let gate = gate(api, organization).await?;
        let chosen = api.now();
        let Some(cohort) = found.cohort(&gate, chosen) else {
            return Err(Error::internal());
        };
        match store
            .revoke_cohort(organization, cohort, &gate.revocations, origin)
            .await
        {
            Ok(()) if OrganizationGate::window_holds(chosen, api.now()) => return Ok(cohort),
            // It stands, and took too long. The caller may be among the revoked by now, and had the
            // right to it.
            Ok(()) => store = &api.store,
            Err(StoreError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::temporarily_unavailable())
}
