//! The calls after the revoke: who was still let in, and when last.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use client::Deployment;
use domain::time::{Clock, Timestamp};
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};

use crate::settings::Target;

/// Connections, each of which may reach another instance of the authorizer.
const CONNECTIONS: u32 = 4;
/// Between two calls, whichever connection they are on.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// It is watched for so long in any case, twice the bound,
const MIN_WATCH_MILLIS: i64 = 10_000;
/// until nobody was let in for so long,
const QUIET_MILLIS: i64 = 8_000;
/// and no longer than this.
const MAX_WATCH_MILLIS: i64 = 60_000;
/// One answer is waited for so long.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// What was seen after the revoke.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Calls that were answered.
    pub(crate) calls: u64,
    /// Of them, admissions.
    pub(crate) admitted: u64,
    /// Of them, the one 401.
    pub(crate) refused: u64,
    /// Anything else: nobody was let in, but not because of the revoke.
    pub(crate) unclear: u64,
    /// Of each connection that was let in or refused: its last admission's answer, in milliseconds
    /// after the revoke's; zero where there was none.
    pub(crate) last_admissions: BTreeMap<u32, i64>,
    /// Whether there was an admission since the last refusal.
    pub(crate) ends_with_admission: bool,
    /// What the last answer that was neither said.
    pub(crate) last_unclear: Option<String>,
}

/// Calls until the key is refused for good.
pub(crate) async fn watch(
    target: &Target,
    authorization: &HeaderValue,
    clock: &Clock,
    revoked: Timestamp,
) -> Watched {
    let watched = Arc::new(Mutex::new(Watched::default()));
    let calls = (0..CONNECTIONS).map(|index| {
        let (target, authorization, clock, watched) = (
            target.clone(),
            authorization.clone(),
            clock.clone(),
            watched.clone(),
        );
        tokio::spawn(async move {
            tokio::time::sleep(POLL_INTERVAL * index).await;
            // A connector of its own has connections of its own.
            let Ok(deployment) = Deployment::within(&target.url, READ_TIMEOUT) else {
                return;
            };
            while goes_on(&seen(&watched), clock().since(revoked)) {
                let answer = call(&deployment, &target.path, &authorization).await;
                note(&watched, index, answer, clock().since(revoked));
                tokio::time::sleep(POLL_INTERVAL * CONNECTIONS).await;
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        // A panic of one connection is a call less, and said by the log's hook.
        let _: Result<(), _> = call.await;
    }
    seen(&watched)
}

impl Watched {
    fn last_admission(&self) -> i64 {
        let last_admissions = self.last_admissions.values();
        last_admissions.copied().max().unwrap_or_default()
    }
}

fn seen(watched: &Mutex<Watched>) -> Watched {
    watched
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

fn goes_on(watched: &Watched, since_revoke: i64) -> bool {
    let quiet = since_revoke - watched.last_admission();
    since_revoke < MAX_WATCH_MILLIS && (since_revoke < MIN_WATCH_MILLIS || quiet < QUIET_MILLIS)
}

/// The status of an answer, or why there is none.
pub(crate) async fn call(
    deployment: &Deployment,
    path: &str,
    authorization: &HeaderValue,
) -> Result<u16, String> {
    let headers: HeaderMap = [(AUTHORIZATION, authorization.clone())]
        .into_iter()
        .collect();
    let answer = deployment
        .send(Method::GET, path, headers, None)
        .await
        .map_err(|error| error.to_string())?;
    match answer.status() {
        status @ (200..=299 | 401) => Ok(status),
        status => Err(answer
            .json()
            .err()
            .map_or_else(|| status.to_string(), |error| error.to_string())),
    }
}

/// An admission counts from its answer: it was decided no later.
fn note(watched: &Mutex<Watched>, connection: u32, answer: Result<u16, String>, since_revoke: i64) {
    let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
    watched.calls += 1;
    if answer.is_ok() {
        watched.last_admissions.entry(connection).or_default();
    }
    match answer {
        Ok(401) => {
            watched.refused += 1;
            watched.ends_with_admission = false;
        }
        Ok(_) => {
            watched.last_admissions.insert(connection, since_revoke);
            watched.admitted += 1;
            watched.ends_with_admission = true;
        }
        Err(said) => {
            watched.unclear += 1;
            watched.last_unclear = Some(said);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_watches_on_while_somebody_is_let_in() {
        let last = |last_admission: Option<i64>| Watched {
            last_admissions: last_admission.into_iter().map(|at| (1, at)).collect(),
            ..Watched::default()
        };
        assert!(goes_on(&last(None), 9_999));
        assert!(!goes_on(&last(None), 10_000));
        assert!(!goes_on(&last(Some(1_000)), 10_000));
        assert!(goes_on(&last(Some(4_000)), 11_000));
        assert!(!goes_on(&last(Some(4_000)), 12_000));
        assert!(goes_on(&last(Some(59_000)), 59_999));
        assert!(!goes_on(&last(Some(59_999)), 60_000));
    }

    #[test]
    fn an_admission_is_told_from_a_refusal_and_both_from_the_rest() {
        let watched = Mutex::new(Watched::default());
        note(&watched, 0, Ok(200), 100);
        note(&watched, 1, Ok(401), 200);
        note(&watched, 0, Ok(204), 300);
        note(&watched, 2, Err("503".into()), 400);
        let expected = Watched {
            calls: 4,
            admitted: 2,
            refused: 1,
            unclear: 1,
            last_admissions: [(0, 300), (1, 0)].into(),
            ends_with_admission: true,
            last_unclear: Some("503".into()),
        };
        assert_eq!(seen(&watched), expected);
    }
}
