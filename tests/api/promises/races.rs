//! Rotate, revoke, finish, patch and token requests that race on one key: whatever comes of them,
//! some order of one after the other explains it, and that order keeps what was answered before
//! something else was asked (linearizability).

#![expect(
    clippy::disallowed_methods,
    reason = "what overlapped is told by real time"
)]

mod history;

use std::{future::Future, pin::Pin, time::Instant};

use serde_json::{Value, json};
use tests::{Caller, Platform};

use self::history::{Call, Did, Secret, explains};
use crate::organization_snapshot::text;

/// Races on so many keys, each of its own mix.
const ROUNDS: usize = 24;

/// A key under test: who manages it, and the text of each secret that it ever had.
struct Subject {
    manager: Caller,
    anonymous: Caller,
    client_id: String,
    first: String,
    began: Instant,
}

type Racer<'a> = Pin<Box<dyn Future<Output = Call> + Send + 'a>>;

impl Subject {
    async fn new(platform: &Platform) -> Self {
        let key = platform.bank_key(json!({"name": "first"})).await;
        Self {
            manager: platform.organization().await,
            anonymous: platform.anonymous(),
            client_id: key.client_id,
            first: key.client_secret,
            began: Instant::now(),
        }
    }

    fn path(&self, operation: &str) -> String {
        format!("/api/keys/{}{operation}", self.client_id)
    }

    async fn call(&self, racer: impl Future<Output = Did>) -> Call {
        let asked = self.began.elapsed();
        let did = racer.await;
        Call {
            asked,
            answered: self.began.elapsed(),
            did,
        }
    }

    /// One racer of each letter: Rotate, replAce, Finish, Patch, Token by the first secret, reVoke.
    fn racer(&self, letter: char, name: usize) -> Racer<'_> {
        Box::pin(async move {
            match letter {
                'R' => {
                    self.call(self.rotate(&json!({"grace_period": null}), false))
                        .await
                }
                'A' => {
                    self.call(self.rotate(&json!({"replace": true}), true))
                        .await
                }
                'F' => {
                    let finish = async {
                        let answer = self
                            .manager
                            .post(&self.path("/finish_rotation"), &json!({}))
                            .await;
                        Did::Finish {
                            done: done(&answer, 200),
                        }
                    };
                    self.call(finish).await
                }
                'P' => {
                    let patch = async {
                        let name = format!("name {name}");
                        let answer = self
                            .manager
                            .patch(&self.path(""), &json!({"name": name}))
                            .await;
                        Did::Patch {
                            done: done(&answer, 200),
                            name,
                        }
                    };
                    self.call(patch).await
                }
                'V' => {
                    let revoke = async {
                        let answer = self.manager.post(&self.path("/revoke"), &json!({})).await;
                        assert_eq!(
                            answer.status, 200,
                            "a revoke never fails because of others: {answer:?}"
                        );
                        Did::Revoke
                    };
                    self.call(revoke).await
                }
                _ => self.call(self.token(&self.first)).await,
            }
        })
    }

    async fn rotate(&self, body: &Value, replace: bool) -> Did {
        let answer = self.manager.post(&self.path("/rotate"), body).await;
        let made = done(&answer, 200).then(|| text(&answer.body, "secret"));
        if replace {
            Did::Replace { made }
        } else {
            Did::Rotate { made }
        }
    }

    async fn token(&self, secret: &str) -> Did {
        let body = json!({
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": secret,
        });
        let answer = self.anonymous.post("/oauth/token", &body).await;
        let done = answer.status == 200;
        if !done {
            answer.assert_oauth_error(401, "invalid_client");
        }
        Did::Token {
            secret: Secret::from(secret),
            done,
        }
    }

    /// What the key came to, as calls that come after all others: which secrets get a token, what
    /// it is called, whether it lives.
    async fn outcome(&self, history: &[Call]) -> Vec<Call> {
        let made = history.iter().filter_map(|call| match &call.did {
            Did::Rotate { made } | Did::Replace { made } => made.clone(),
            _ => None,
        });
        let mut outcome = Vec::new();
        for secret in made.chain([self.first.clone()]) {
            outcome.push(self.call(self.token(&secret)).await);
        }
        let read = async {
            let key = self.manager.get(&self.path("")).await;
            assert_eq!(key.status, 200, "{key:?}");
            let secrets = key.body["secrets"].as_array().map_or(0, Vec::len);
            Did::Read {
                name: text(&key.body, "name"),
                revoked: key.body["state"] == "revoked",
                secrets,
            }
        };
        outcome.push(self.call(read).await);
        outcome
    }
}

/// Whether it was done, or refused as a change of a revoked key or one that is being rotated is.
fn done(answer: &tests::Answer, status: u16) -> bool {
    if answer.status != status {
        answer.assert_error(409, "conflict");
    }
    answer.status == status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_race_on_one_key_leaves_what_no_serial_order_explains() {
    let platform = Platform::start().await;
    let mixes = [
        "RFPTT", "RRFT", "RVFPT", "RAFTT", "AAPT", "RFVTT", "RRAFP", "PPVRT",
    ];
    let mut refused = 0;
    for round in 0..ROUNDS {
        let subject = Subject::new(&platform).await;
        let mix = mixes[round % mixes.len()];
        let racers: Vec<_> = mix
            .chars()
            .enumerate()
            .map(|(name, letter)| subject.racer(letter, name))
            .collect();
        let mut history = join_all(racers).await;
        refused += history.iter().filter(|call| call.did.was_refused()).count();
        let outcome = subject.outcome(&history).await;
        history.extend(outcome);
        assert!(
            explains(&Secret::from(&*subject.first), &history),
            "round {round} of {mix}: no serial order explains {history:#?}"
        );
    }
    assert!(
        refused > 0,
        "nothing ever stood in another's way: that was no race"
    );
}

/// All at once, on this one task's children; results in the order of the racers.
async fn join_all(racers: Vec<Racer<'_>>) -> Vec<Call> {
    let mut pending: Vec<Option<Racer<'_>>> = racers.into_iter().map(Some).collect();
    let mut calls: Vec<Option<Call>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (racer, call) in pending.iter_mut().zip(&mut calls) {
            if let Some(std::task::Poll::Ready(did)) =
                racer.as_mut().map(|racer| racer.as_mut().poll(context))
            {
                *call = Some(did);
                *racer = None;
            }
        }
        if pending.iter().all(Option::is_none) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    calls.into_iter().flatten().collect()
}
