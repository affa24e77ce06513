//! One round: make a key, use it, revoke it, and see until when it was let in.

use std::{fmt, sync::Arc, time::Duration};

use client::{Credential, Deployment, Error, Session, sensitive};
use domain::time::{Clock, Timestamp};
use http::HeaderValue;
use runtime::Entropy;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::{
    credential::Key,
    keys,
    settings::Target,
    watch::{self, Watched},
};

/// What is promised: nobody is let in later than this after the revoke's answer (CBM-4), in
/// milliseconds.
pub const BOUND: i64 = 5_000;
/// One answer is waited for so long.
const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a new key may take to be let in: cold starts, and an authorizer's try again.
const ADMISSION_TIMEOUT_MILLIS: i64 = 20_000;
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// Tries to revoke what was made, in an emergency too.
const MAX_ATTEMPTS: u32 = 4;

/// What a round does, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The canary's own key is read.
    Credential,
    /// Keys that earlier rounds left are revoked.
    Sweep,
    /// A key is made.
    Create,
    /// It gets a token.
    Token,
    /// It is let in.
    Admission,
    /// It is revoked.
    Revoke,
    /// It is called with until it is refused for good.
    Watch,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The step that failed.
    pub step: Step,
    /// Why, without any credential.
    pub cause: String,
}

/// What a round came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// How long each step took, in milliseconds.
    pub steps: Vec<(Step, i64)>,
    /// From the revoke's answer to the last admission of each connection, in milliseconds, the
    /// shortest first; zero where there was none. None of them where it came to no revoke.
    pub last_admissions: Vec<i64>,
    /// Calls after the revoke: answered, let in, refused with 401, and neither.
    pub calls: [u64; 4],
    /// Keys of earlier rounds that were left and are revoked now.
    pub swept: u64,
    /// How many keys the organization has, revoked ones among them.
    pub keys: Option<u64>,
    /// What failed, if anything did.
    pub failure: Option<Failure>,
}

/// Makes a round by this key.
pub(crate) async fn make(target: &Target, key: Key, clock: &Clock, entropy: &Entropy) -> Round {
    let mut round = Round::default();
    let deployment = match Deployment::within(&target.url, READ_TIMEOUT) {
        Ok(deployment) => Arc::new(deployment),
        Err(error) => return Round::failed(Failure::at(Step::Credential)(error)),
    };
    let own = Credential::Client {
        id: key.client_id,
        secret: key.client_secret,
    };
    let session = Session::new(deployment.clone(), own, clock.clone());
    let name = keys::name(&entropy.guid().to_string());
    let walk = Walk {
        target,
        clock,
        session: &session,
        deployment: &deployment,
        name: &name,
    };
    if let Err(failure) = walk.all(&mut round).await {
        let mut failure = failure;
        if failure.step > Step::Sweep && failure.step < Step::Watch && !walk.clean_up().await {
            failure.cause.push_str(
                "; what was made could not be revoked: the next round does, and it ends by itself \
                 within the hour",
            );
        }
        round.failure = Some(failure);
    }
    round
}

/// A round on its way.
struct Walk<'a> {
    target: &'a Target,
    clock: &'a Clock,
    session: &'a Session,
    deployment: &'a Deployment,
    name: &'a str,
}

impl Walk<'_> {
    async fn all(&self, round: &mut Round) -> Result<(), Failure> {
        let now = self.clock;
        round.swept = self
            .timed(round, Step::Sweep, keys::sweep(self.session, None, now()))
            .await?;
        let key = self
            .timed(
                round,
                Step::Create,
                keys::create(self.session, self.name, now()),
            )
            .await?;
        let authorization = self.timed(round, Step::Token, self.token(&key)).await?;
        self.timed(round, Step::Admission, self.await_admission(&authorization))
            .await?;
        self.timed(
            round,
            Step::Revoke,
            keys::revoke(self.session, &key.client_id),
        )
        .await?;
        let revoked = now();
        let watched = watch::watch(self.target, &authorization, self.clock, revoked).await;
        round.steps.push((Step::Watch, now().since(revoked)));
        round.last_admissions = watched.last_admissions.values().copied().collect();
        round.last_admissions.sort_unstable();
        round.calls = [
            watched.calls,
            watched.admitted,
            watched.refused,
            watched.unclear,
        ];
        require_within_bound(&watched).map_err(|cause| Failure {
            step: Step::Watch,
            cause,
        })?;
        // How full the organization is concerns the next months, not this round.
        round.keys = keys::count(self.session).await.ok().flatten();
        Ok(())
    }

    async fn timed<T, E: fmt::Display>(
        &self,
        round: &mut Round,
        step: Step,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        let began = (self.clock)();
        let done = act.await;
        round.steps.push((step, (self.clock)().since(began)));
        done.map_err(Failure::at(step))
    }

    async fn token(&self, key: &Key) -> Result<HeaderValue, Error> {
        let answer = self
            .deployment
            .request_token(&key.client_id, &key.client_secret, None)
            .await?;
        let token = answer["access_token"]
            .as_str()
            .ok_or(Error::Foreign { status: 200 })?;
        sensitive(&Zeroizing::new(format!("Bearer {token}")), "the token")
    }

    /// Calls until it is let in.
    async fn await_admission(&self, authorization: &HeaderValue) -> Result<(), String> {
        let began = (self.clock)();
        loop {
            let said = match watch::call(self.deployment, &self.target.path, authorization).await {
                Ok(401) => "401".to_owned(),
                Ok(_) => return Ok(()),
                Err(said) => said,
            };
            if (self.clock)().since(began) > ADMISSION_TIMEOUT_MILLIS {
                return Err(format!(
                    "GET {} does not let the new key in: {said}",
                    self.target.path
                ));
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    /// Revokes what this round made, by its name: an answer that was lost may have been that of a
    /// key. Whether nothing is left.
    async fn clean_up(&self) -> bool {
        for attempt in 0..MAX_ATTEMPTS {
            match keys::sweep(self.session, Some(self.name), (self.clock)()).await {
                Ok(_) => return true,
                Err(error) => {
                    tracing::warn!(%error, attempt, "what the canary made cannot be revoked yet");
                }
            }
            tokio::time::sleep(RETRY_INTERVAL * 2_u32.pow(attempt)).await;
        }
        false
    }
}

/// Requires that the revoke was seen to work: how late is the metric's affair.
fn require_within_bound(watched: &Watched) -> Result<(), String> {
    let Watched {
        calls,
        refused,
        unclear,
        last_unclear,
        ..
    } = watched;
    let said = || last_unclear.as_deref().unwrap_or("no answer");
    match watched {
        Watched {
            ends_with_admission: true,
            ..
        } => Err(format!(
            "the key is let in to the end, {calls} calls after its revocation"
        )),
        Watched { refused: 0, .. } => Err(format!(
            "none of {calls} calls was refused with 401: {}",
            said()
        )),
        _ if unclear > refused => Err(format!(
            "{unclear} of {calls} calls were neither let in nor refused with 401: {}",
            said()
        )),
        _ => Ok(()),
    }
}

impl Failure {
    fn at<E: fmt::Display>(step: Step) -> impl Fn(E) -> Self {
        move |error| Self {
            step,
            cause: error.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step.name(), self.cause)
    }
}

impl Step {
    /// Its name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credential => "Credential",
            Self::Sweep => "Sweep",
            Self::Create => "Create",
            Self::Token => "Token",
            Self::Admission => "Admission",
            Self::Revoke => "Revoke",
            Self::Watch => "Watch",
        }
    }
}

impl Round {
    /// A round that ended before it began.
    #[must_use]
    pub fn failed(failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            ..Self::default()
        }
    }

    /// Whether it did not fail and nobody was let in past the bound.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let is_in_time = |last: &i64| *last <= BOUND;
        self.failure.is_none() && self.last_admissions.last().is_some_and(is_in_time)
    }

    /// Seconds from the revoke's answer to the last admission of this percentage of the connections
    /// (nearest rank): 100 for the last of all.
    #[must_use]
    pub fn seconds_to_last_admission(&self, percentage: usize) -> Option<f64> {
        let rank = (self.last_admissions.len() * percentage).div_ceil(100);
        let last = self.last_admissions.get(rank.checked_sub(1)?)?;
        Some(seconds(*last))
    }

    /// For logs and shells.
    #[must_use]
    pub fn json(&self) -> Value {
        let [calls, admitted, refused, unclear] = self.calls;
        let steps: Map<_, _> = self
            .steps
            .iter()
            .map(|(step, took)| (step.name().to_owned(), json!(took)))
            .collect();
        json!({
            "seconds_to_last_admission": {
                "p50": self.seconds_to_last_admission(50),
                "p99": self.seconds_to_last_admission(99),
                "max": self.seconds_to_last_admission(100),
            },
            "calls_after_revoke": {
                "all": calls,
                "admitted": admitted,
                "refused": refused,
                "unclear": unclear,
            },
            "milliseconds": steps,
            "keys_swept": self.swept,
            "keys_of_organization": self.keys,
            "failure": self.failure.as_ref().map(|Failure { step, cause }| json!({
                "step": step.name(),
                "cause": cause,
            })),
        })
    }
}

pub(crate) fn seconds(milliseconds: i64) -> f64 {
    Duration::from_millis(milliseconds.max(0).unsigned_abs()).as_secs_f64()
}

/// The moment that a metric is of.
pub(crate) type At = Timestamp;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revoke_is_seen_to_work_only_by_refusals() {
        let fine = Watched {
            calls: 100,
            admitted: 10,
            refused: 90,
            last_admissions: [(0, 900)].into(),
            ..Watched::default()
        };
        assert_eq!(require_within_bound(&fine), Ok(()));
        for (watched, words) in [
            (
                Watched {
                    ends_with_admission: true,
                    ..fine.clone()
                },
                "let in to the end",
            ),
            (
                Watched {
                    refused: 0,
                    unclear: 90,
                    last_unclear: Some("503 temporarily_unavailable".into()),
                    ..fine.clone()
                },
                "503 temp",
            ),
            (
                Watched {
                    refused: 20,
                    unclear: 70,
                    ..fine
                },
                "70 of 100 calls",
            ),
            (Watched::default(), "no answer"),
        ] {
            let cause = require_within_bound(&watched).unwrap_err();
            assert!(cause.contains(words), "{cause}");
        }
    }

    #[test]
    fn a_round_is_sound_within_the_bound() {
        let round = |last_admissions: &[i64]| Round {
            last_admissions: last_admissions.to_vec(),
            ..Round::default()
        };
        assert!(round(&[0]).is_sound() && round(&[0, 5_000]).is_sound());
        assert!(!round(&[0, 5_001]).is_sound() && !round(&[]).is_sound());
        assert!(
            !Round {
                failure: Some(Failure::at(Step::Token)("x")),
                ..round(&[0])
            }
            .is_sound()
        );
    }

    #[test]
    fn a_round_tells_when_half_of_the_connections_nearly_all_and_all_were_refused() {
        let told = |last_admissions: &[i64]| {
            let round = Round {
                last_admissions: last_admissions.to_vec(),
                ..Round::default()
            };
            [50, 99, 100].map(|percentage| round.seconds_to_last_admission(percentage))
        };
        assert_eq!(told(&[]), [None; 3]);
        assert_eq!(told(&[700]), [Some(0.7); 3]);
        assert_eq!(
            told(&[0, 250, 500, 900]),
            [Some(0.25), Some(0.9), Some(0.9)]
        );
        let hundred: Vec<i64> = (1..=100).map(|one| one * 10).collect();
        assert_eq!(told(&hundred), [Some(0.5), Some(0.99), Some(1.0)]);
    }
}
