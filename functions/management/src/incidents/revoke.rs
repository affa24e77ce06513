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
    authority::CallerAuthority,
    error::{Error, Kind},
    feed::Cohort,
    gate::OrganizationGate,
    ids::Guid,
    key::Key,
    operation::Operation,
    role::Role,
};
use store::{Beside, CallerSnapshot, StoreError, UserRow};
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
    let snapshot = api.caller_snapshot(&caller).await?;
    let authority = snapshot.authority();
    authority.require(Operation::RevokeIncident)?;
    authority.require_all(&SCOPES)?;
    let gate = api.gate_of(&snapshot, organization).await?;
    let found = order.find(&api, &caller, authority, organization).await?;
    let spared = Spared::of(&api, authority, organization, &found).await?;
    let scope = (organization, &gate);
    let radius =
        Radius::measure(&api, &caller, scope, &found, &spared.people, body.dry_run).await?;
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
    let cohort = match &found {
        Found::Keys(keys) => {
            revoke_keys(&api, &caller, keys, &origin).await?;
            None
        }
        Found::Cohort { .. } => {
            Some(revoke_cohort(&api, &snapshot, organization, &found, &origin).await?)
        }
    };
    Ok(Json(radius.done(cohort)))
}

/// Revokes keys one by one, the caller's own last: a revoked key revokes nothing more.
async fn revoke_keys(
    api: &Api,
    caller: &Caller,
    keys: &[Key],
    origin: &Origin,
) -> Result<(), Error> {
    let (own, others): (Vec<_>, Vec<_>) = keys
        .iter()
        // Those that are listed no longer were revoked long ago.
        .filter(|key| key.is_listed(api.now()))
        .partition(|key| key.client_id == caller.client_id);
    let identity = caller.identity();
    for key in others.into_iter().chain(own) {
        let view = api
            .store
            .view_key(
                &identity,
                &api.catalogue,
                Operation::RevokeIncident,
                key.client_id,
            )
            .await?;
        api.store.revoke_key(&view, origin).await?;
    }
    Ok(())
}

/// Revokes a cohort whose window ends late enough for what was made before, whatever else happened
/// in between, and which spares whom it must at that very moment.
async fn revoke_cohort(
    api: &Api,
    caller: &CallerSnapshot,
    organization: Guid,
    found: &Found,
    origin: &Origin,
) -> Result<Cohort, Error> {
    let mut store = api.store.on_behalf_of(caller);
    for _ in 0..MAX_ATTEMPTS {
        let spared = Spared::of(api, caller.authority(), organization, found).await?;
        let gate = api
            .store
            .organization(organization)
            .await?
            .ok_or_else(Error::not_found)?
            .gate;
        let chosen = api.now();
        let Some(cohort) = found.cohort(&gate, &spared.people, chosen) else {
            return Err(Error::internal());
        };
        let beside = Beside {
            revocations: &gate.revocations,
            owners_made: spared.owners_made,
        };
        match store
            .revoke_cohort(organization, &cohort, beside, origin)
            .await
        {
            Ok(()) if OrganizationGate::window_holds(chosen, api.now()) => return Ok(cohort),
            // It stands, and took too long. The caller may be among the revoked by now, and had the
            // right to it.
            Ok(()) => store = api.store.clone(),
            Err(StoreError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::temporarily_unavailable())
}

/// Whom an incident spares: people over whom its caller has no say, by guid, as they are at this
/// moment. A role changes later, and a revocation is final.
struct Spared {
    people: Vec<Guid>,
    /// How many owners had been made when they were looked for, where any are spared or might be.
    owners_made: Option<u64>,
}

impl Spared {
    async fn of(
        api: &Api,
        caller: &CallerAuthority,
        organization: Guid,
        found: &Found,
    ) -> Result<Self, Error> {
        let everybody = caller
            .role()
            .is_none_or(|role| role.is_staff() || role.covers(Role::Owner));
        if everybody || !found.is_of_people() {
            return Ok(Self {
                people: Vec::new(),
                owners_made: None,
            });
        }
        // Before the people: whoever is raised after this is noticed.
        let owners_made = api.store.owners_made(organization).await?;
        let rows = api.store.user_rows(organization).await?;
        let above = |row: &&UserRow| {
            !row.disabled && caller.role().is_none_or(|role| !role.covers(row.role))
        };
        let mut people: Vec<_> = rows.iter().filter(above).map(|row| row.guid).collect();
        people.sort_unstable();
        if let Some(owner) = found.owner() {
            if people.contains(&owner) {
                return Err(Error::new(
                    Kind::Forbidden,
                    "This caller has no say over that user's keys",
                ));
            }
            people.clear();
        }
        if people.len() > Cohort::MAX_SPARED {
            let message = format!(
                "More than {} people stand above this caller, and their keys would be spared: an \
                 owner must do it",
                Cohort::MAX_SPARED
            );
            return Err(Error::new(Kind::Forbidden, message));
        }
        Ok(Self {
            people,
            owners_made: Some(owners_made),
        })
    }
}
