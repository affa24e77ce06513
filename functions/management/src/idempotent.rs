//! Creates that happen once under their `Idempotency-Key`.

use std::time::Duration;

use axum::{
    Json,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use domain::error::Error;
use serde::Serialize;
use store::{IdempotencyRecord, StoreError};
use web::idempotency;

use crate::api::{Api, Caller};

/// A request to create something, as it came: what tells a repetition from another request.
pub(crate) struct Request<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) parts: &'a Parts,
    pub(crate) body: &'a [u8],
}

/// Why something was not created.
pub(crate) enum Failed {
    Error(Error),
    Store(StoreError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Api {
    /// Creates something called `target`, unless the request was made before under its
    /// `Idempotency-Key`: then the answer shows what that made, as it is `again`, and is marked so.
    /// Two requests at the same moment create one thing. Call it once the caller is authorised, and
    /// decide within `create`: a repetition is answered whatever has become of the caller's means.
    pub(crate) async fn create_once<Created, Again, Shown>(
        &self,
        request: Request<'_>,
        target: impl ToString,
        create: impl FnOnce(Option<IdempotencyRecord>) -> Created,
        again: impl FnOnce(String) -> Again,
    ) -> Result<Response, Error>
    where
        Created: Future<Output = Result<Response, Failed>>,
        Again: Future<Output = Result<Shown, Error>>,
        Shown: Serialize,
    {
        let record = self.idempotency_record(&request, &target)?;
        let made = match &record {
            Some(record) => self.made_before(record).await?,
            None => None,
        };
        let made = match made {
            Some(made) => made,
            None => match (create(record.clone()).await, record) {
                (Ok(response), _) => return Ok(response),
                (Err(Failed::Store(StoreError::Replayed)), Some(record)) => self
                    .made_before(&record)
                    .await?
                    .ok_or_else(Error::temporarily_unavailable)?,
                (Err(Failed::Store(error)), _) => return Err(error.into()),
                (Err(Failed::Error(error)), _) => return Err(error),
            },
        };
        let headers = [
            ("cache-control", "no-store"),
            ("idempotency-replayed", "true"),
        ];
        Ok((StatusCode::CREATED, headers, Json(again(made).await?)).into_response())
    }

    async fn made_before(&self, record: &IdempotencyRecord) -> Result<Option<String>, Error> {
        match self.store.replayed(record).await? {
            Some(made) if made.fingerprint == record.fingerprint => Ok(Some(made.target)),
            Some(_) => Err(idempotency::reused()),
            None => Ok(None),
        }
    }

    /// What is remembered of the create; nothing where the header was not sent.
    fn idempotency_record(
        &self,
        Request {
            caller,
            parts,
            body,
        }: &Request<'_>,
        target: &impl ToString,
    ) -> Result<Option<IdempotencyRecord>, Error> {
        let Some(key) = idempotency::key(&parts.headers)? else {
            return Ok(None);
        };
        Ok(Some(IdempotencyRecord {
            principal: caller
                .user()
                .map_or_else(|| caller.client_id.to_string(), |user| user.to_string()),
            key: key.to_owned(),
            fingerprint: idempotency::fingerprint(&parts.method, parts.uri.path(), body),
            target: target.to_string(),
            ends: self.now() + Duration::from_hours(idempotency::HOURS),
        }))
    }
}
