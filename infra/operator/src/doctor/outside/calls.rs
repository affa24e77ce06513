//! The calls that were made, with what several checks want to know of each.

use std::sync::{Arc, Mutex, PoisonError};

use client::{Answer, Deployment, Error};
use domain::time::{Clock, Timestamp};
use http::{HeaderMap, Method};
use serde_json::Value;

/// A deployment, and what was noticed on the way.
pub(super) struct Calls {
    pub(super) deployment: Arc<Deployment>,
    pub(super) clock: Clock,
    noticed: Mutex<Noticed>,
}

#[derive(Clone, Default)]
pub(super) struct Noticed {
    /// Of the first answer: when it was asked for, when it was there, by the own clock, and its
    /// `Date`.
    pub(super) date: Option<(Timestamp, Timestamp, Option<String>)>,
    /// Calls whose answers nobody may keep, and how many of them said so.
    pub(super) kept: Vec<String>,
    pub(super) not_kept: usize,
}

impl Calls {
    pub(super) fn new(deployment: Arc<Deployment>, clock: Clock) -> Self {
        Self {
            deployment,
            clock,
            noticed: Mutex::default(),
        }
    }

    /// The answer to a call, whatever its status.
    pub(super) async fn send(
        &self,
        method: &Method,
        path: &str,
        headers: HeaderMap,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let sent = (self.clock)();
        let answer = self
            .deployment
            .send(method.clone(), path, headers, body)
            .await?;
        let date = answer.header("date").map(str::to_owned);
        let received = (self.clock)();
        self.notice(|noticed| {
            noticed.date.get_or_insert((sent, received, date));
        });
        Ok(answer)
    }

    /// [`Calls::send`] without headers or body.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, Error> {
        self.send(&Method::GET, path, HeaderMap::new(), None).await
    }

    /// Remembers whether an answer that nobody may keep says so (RFC 9111 §5.2.2.5).
    pub(super) fn must_not_be_kept(&self, call: &str, answer: &Answer) {
        let said = answer.header("cache-control").unwrap_or_default();
        let forbids = said
            .split(',')
            .any(|directive| directive.trim().eq_ignore_ascii_case("no-store"));
        self.notice(|noticed| {
            if forbids {
                noticed.not_kept += 1;
            } else {
                noticed.kept.push(call.to_owned());
            }
        });
    }

    pub(super) fn noticed(&self) -> Noticed {
        self.noticed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn notice(&self, change: impl FnOnce(&mut Noticed)) {
        change(&mut self.noticed.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
