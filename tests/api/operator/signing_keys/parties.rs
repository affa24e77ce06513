//! Everybody who issues and verifies tokens during a roll: instances of the platform, and third
//! parties.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use domain::time::Timestamp;
use emulator::gateway::{Gateway, Options as GatewayOptions};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use local::functions::Functions;
use serde_json::Value;
use tests::{Caller, Platform};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{ISSUER, JWKS, exp, guarded, introspected, issue, kid, now};

/// Other instances of every function behind a gateway of their own: memories of their own over the
/// same tables.
pub(crate) struct Instances {
    base_url: String,
    gateway: JoinHandle<std::io::Result<()>>,
}

impl Instances {
    pub(crate) async fn of(platform: &Platform) -> Self {
        let services = platform.stack.services();
        let functions = Functions::start(services.description(), |function| {
            services.ambient_of(function)
        })
        .await
        .unwrap();
        let clock = services.ambient().clock.clone();
        let options = GatewayOptions::new(Arc::new(move || clock().millis()));
        let gateway =
            Gateway::new(services.description().clone(), Arc::new(functions), options).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        Self {
            base_url,
            gateway: tokio::spawn(gateway.serve(listener, std::future::pending())),
        }
    }

    pub(crate) fn caller(&self, platform: &Platform) -> Caller {
        platform.anonymous().at(&self.base_url)
    }
}

impl Drop for Instances {
    fn drop(&mut self) {
        self.gateway.abort();
    }
}

/// A verifier that keeps the document for its whole `max-age` and never asks again before, not even
/// for a key that it does not know.
pub(super) struct ThirdParty {
    pub(super) at: Caller,
    kept: Option<(Timestamp, Duration, JwkSet)>,
}

impl ThirdParty {
    pub(super) const fn of(at: Caller) -> Self {
        Self { at, kept: None }
    }

    pub(super) async fn accepts(&mut self, token: &str, now: Timestamp) -> bool {
        if self
            .kept
            .as_ref()
            .is_none_or(|(read, age, _)| *read + *age <= now)
        {
            let answer = self.at.get(JWKS).await;
            let age = answer
                .header("cache-control")
                .strip_prefix("public, max-age=")
                .expect("an age")
                .parse()
                .unwrap();
            self.kept = Some((
                now,
                Duration::from_secs(age),
                serde_json::from_value(answer.body).unwrap(),
            ));
        }
        let (_, _, keys) = self.kept.as_ref().unwrap();
        let Some(jwk) = keys.find(&kid(token)) else {
            return false;
        };
        let mut validation = Validation::new(Algorithm::ES256);
        // Its clock is the machine's, ours is ahead: the test looks at the end itself.
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&["urn:latchkey:sandbox"]);
        jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(jwk).unwrap(), &validation)
            .is_ok()
    }
}

/// Everybody who issues and verifies, and the tokens that live.
pub(super) struct Everybody<'a> {
    pub(super) platform: &'a Platform,
    pub(super) doors: Vec<Caller>,
    pub(super) verifiers: Vec<ThirdParty>,
    pub(super) tokens: Vec<String>,
}

impl Everybody<'_> {
    /// Lets time pass in small steps, at each of which every instance issues a token, and tokens of
    /// all ages are verified by all.
    pub(super) async fn live(&mut self, time: Duration) {
        const STEP: Duration = Duration::from_secs(50);
        let end = now(self.platform) + time;
        while now(self.platform) < end {
            let left = u64::try_from(end.since(now(self.platform))).unwrap();
            self.platform.advance(STEP.min(Duration::from_millis(left)));
            self.step().await;
        }
    }

    pub(super) async fn step(&mut self) {
        for door in &self.doors {
            self.tokens.push(issue(self.platform, door).await);
        }
        let now = now(self.platform);
        self.tokens
            .retain(|token| exp(token) > now + Duration::from_secs(2));
        // Of each key the oldest and the newest: the others lie in between.
        let mut sample: Vec<&String> = Vec::new();
        for token in &self.tokens {
            let same = |other: &&&String| kid(other) == kid(token);
            let first = !sample.iter().any(|other| same(&other));
            let last = self
                .tokens
                .iter()
                .rev()
                .find(|other| kid(other) == kid(token))
                == Some(token);
            if first || last {
                sample.push(token);
            }
        }
        for token in sample {
            for door in &self.doors {
                assert_eq!(guarded(door, token).await, 200, "{} at {now}", kid(token));
                assert!(
                    introspected(self.platform, door, token).await,
                    "{} at {now}",
                    kid(token)
                );
            }
            for verifier in &mut self.verifiers {
                assert!(
                    verifier.accepts(token, now).await,
                    "{} at {now}",
                    kid(token)
                );
            }
        }
    }

    pub(super) fn newest(&self) -> Vec<String> {
        self.tokens
            .iter()
            .rev()
            .take(self.doors.len())
            .map(|token| kid(token))
            .collect()
    }
}
