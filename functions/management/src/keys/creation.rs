//! The one way in which the API makes a key and shows its secret, once, whatever the route and the
//! owner (ARZ-1, CBM-1, CYB-2).

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{
    authority::{CallerAuthority, KeyWanted, NewKey},
    error::Error,
    gate::Gates,
    ids::ClientId,
    key::Key,
    operation::Operation,
    organization::OrganizationWithGate,
};
use serde::Serialize;
use store::{CallerSnapshot, IdempotencyRecord};
use web::idempotency;

use crate::{
    api::Api,
    idempotent::{Failed, Request},
};

/// A key that was made, now or before, and who asked for it.
pub(crate) struct Made<'a> {
    pub(crate) caller: &'a CallerAuthority,
    pub(crate) key: Key,
    pub(crate) gates: Gates,
}

/// A new key.
#[derive(Serialize)]
struct Created<'a, Shape> {
    #[serde(flatten)]
    key: Shape,
    secret: &'a str,
}

/// An operation that makes keys.
#[derive(Clone, Copy)]
pub(crate) struct Creation {
    pub(crate) operation: Operation,
    /// What its body calls the owner.
    pub(crate) owner_field: &'static str,
}

impl Creation {
    /// Makes the key that is wanted, and answers with what `shape` makes of it and with its secret.
    /// A request that is repeated under its `Idempotency-Key` gets the key without the secret.
    pub(crate) async fn run<Shape: Serialize>(
        self,
        api: &Api,
        request: Request<'_>,
        wanted: KeyWanted,
        shape: impl Fn(&Made<'_>) -> Shape + Sync,
    ) -> Result<Response, Error> {
        let Self {
            operation,
            owner_field,
        } = self;
        let (caller, shape) = (request.caller, &shape);
        let view = &api
            .store
            .view_owner(&caller.identity(), &api.catalogue, wanted.owner)
            .await?;
        let authority = view.snapshot.authority();
        let owner = (wanted.owner, &view.owner);
        authority.require_creates(operation, &api.catalogue, owner, owner_field)?;
        let client_id = api.entropy.client_id();
        let create = |record: Option<IdempotencyRecord>| async move {
            let (plain, secret) = api.mint(authority.kind(), client_id).await?;
            let new = authority.create_key(
                operation,
                &api.catalogue,
                &view.organization,
                (wanted, view.owner.clone(), owner_field),
                (client_id, secret.id, secret.created_at),
            )?;
            api.store
                .create_key(view, &new, &secret, record.as_ref(), &caller.origin())
                .await?;
            let made = Made::now(&view.snapshot, &view.organization, new);
            let created = Created {
                key: shape(&made),
                secret: &plain.expose(),
            };
            let headers = [("cache-control", "no-store")];
            Ok::<_, Failed>((StatusCode::CREATED, headers, Json(created)).into_response())
        };
        let again = |made: String| async move {
            Ok::<_, Error>(shape(&Made::before(api, authority, &made).await?))
        };
        api.create_once(request, client_id, create, again).await
    }
}

impl<'a> Made<'a> {
    fn now(caller: &'a CallerSnapshot, home: &OrganizationWithGate, new: NewKey) -> Self {
        let authority = caller.authority();
        let person = authority.user().cloned();
        let user = match new.user_of_others() {
            Some(user) => Some(user.clone()),
            None => person.clone().filter(|_| new.key().owner.user().is_some()),
        };
        Self {
            caller: authority,
            gates: Gates {
                organization: home.gate.clone(),
                user,
                minters: person.into_iter().collect(),
            },
            key: new.into_key(),
        }
    }

    /// The key that an earlier request of the same `Idempotency-Key` made, as it is now. The same
    /// words ask for another key when a person says them by a credential of the other kind.
    async fn before(api: &Api, caller: &'a CallerAuthority, made: &str) -> Result<Self, Error> {
        let client_id: ClientId = made.parse().map_err(|_| Error::internal())?;
        let key = api
            .store
            .key(client_id)
            .await?
            .filter(|key| key.is_listed(api.now()))
            .ok_or_else(Error::not_found)?;
        if key.kind != caller.kind() {
            return Err(idempotency::reused());
        }
        let gates = api.store.gates(&key).await?;
        Ok(Self { caller, key, gates })
    }
}
