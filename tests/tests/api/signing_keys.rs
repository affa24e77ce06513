//! The roll of a signing key (docs/signing-keys.md): publish, wait, sign, wait, retire. Tokens are issued and verified throughout, by
//! two instances of everything and by verifiers that know nothing of ours and keep the JWKS document for as long as they may.

mod commands;
mod first;
mod restarts;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use domain::{
    kind::Kind,
    signing::{SIGNER_FRESH, TRUST_USABLE, before_retiring, before_signing},
    time::Timestamp,
};
use emulator::gateway::{Gateway, Options as GatewayOptions};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use local::{functions::Functions, services::Options};
use operator::signing_keys::{Early, SigningKeys, State};
use serde_json::{Value, json};
use tests::{Caller, Platform};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::credentials::part;

const JWKS: &str = "/.well-known/jwks.json";
const ISSUER: &str = "https://auth.example.com";

/// A platform whose sandbox tokens have these keys; its tokens live as long as any may.
async fn platform(slots: &str) -> Platform {
    Platform::with(Options { parameters: parameters(slots), ..Options::default() }).await
}

fn parameters(slots: &str) -> std::collections::BTreeMap<String, String> {
    let parameters = [("SandboxSigningKeys", slots), ("TokenLifetimeSeconds", "3600"), ("Issuer", ISSUER)];
    parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn keys(platform: &Platform) -> SigningKeys {
    SigningKeys::open(&platform.stack.services().env("tokens"), platform.stack.services().edge()).unwrap()
}

fn now(platform: &Platform) -> Timestamp {
    (platform.stack.services().edge().clock)()
}

/// Other instances of every function behind a gateway of their own: memories of their own over the same tables.
pub(crate) struct Instances {
    base_url: String,
    gateway: JoinHandle<std::io::Result<()>>,
}

impl Instances {
    pub(crate) async fn of(platform: &Platform) -> Self {
        let services = platform.stack.services();
        let functions = Functions::start(services.description(), |function| services.edge_of(function)).await.unwrap();
        let clock = services.edge().clock.clone();
        let options = GatewayOptions::new(Arc::new(move || clock().millis()));
        let gateway = Gateway::new(services.description().clone(), Arc::new(functions), options).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        Self { base_url, gateway: tokio::spawn(gateway.serve(listener, std::future::pending())) }
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

/// Issues a token of the seed's bank here.
async fn issue(platform: &Platform, at: &Caller) -> String {
    let answer = platform.request_token(&platform.seed.bank.key, at.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["access_token"].as_str().unwrap().to_owned()
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

fn exp(token: &str) -> Timestamp {
    Timestamp::from_seconds(part(token, 1)["exp"].as_i64().unwrap())
}

/// The status that the guarded API gives a token here.
async fn guarded(at: &Caller, token: &str) -> u16 {
    at.clone().with_token(token).get("/v1/whoami").await.status
}

/// Whether introspection here calls it active.
async fn introspected(platform: &Platform, at: &Caller, token: &str) -> bool {
    let key = &platform.seed.bank.key;
    let body = json!({"client_id": key.client_id, "client_secret": key.client_secret, "token": token});
    let answer = at.post("/oauth/introspect", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["active"].as_bool().unwrap()
}

/// The kids that the document names here, now.
async fn published(at: &Caller) -> Vec<String> {
    let answer = at.get(JWKS).await;
    let keys = answer.body["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// A verifier that keeps the document for its whole `max-age` and never asks again before, not even for a key that it does not know.
struct ThirdParty {
    at: Caller,
    kept: Option<(Timestamp, Duration, JwkSet)>,
}

impl ThirdParty {
    const fn of(at: Caller) -> Self {
        Self { at, kept: None }
    }

    async fn accepts(&mut self, token: &str, now: Timestamp) -> bool {
        if self.kept.as_ref().is_none_or(|(read, age, _)| *read + *age <= now) {
            let answer = self.at.get(JWKS).await;
            let age = answer.header("cache-control").strip_prefix("public, max-age=").expect("an age").parse().unwrap();
            self.kept = Some((now, Duration::from_secs(age), serde_json::from_value(answer.body).unwrap()));
        }
        let (_, _, keys) = self.kept.as_ref().unwrap();
        let Some(jwk) = keys.find(&kid(token)) else { return false };
        let mut validation = Validation::new(Algorithm::ES256);
        // Its clock is the machine's, ours is ahead: the test looks at the end itself.
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&["urn:latchkey:sandbox"]);
        jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).is_ok()
    }
}

/// Everybody who issues and verifies, and the tokens that live.
struct Everybody<'a> {
    platform: &'a Platform,
    doors: Vec<Caller>,
    verifiers: Vec<ThirdParty>,
    tokens: Vec<String>,
}

impl Everybody<'_> {
    /// Lets time pass in small steps, at each of which every instance issues a token, and tokens of all ages are verified by all.
    async fn live(&mut self, time: Duration) {
        const STEP: Duration = Duration::from_secs(50);
        let end = now(self.platform) + time;
        while now(self.platform) < end {
            let left = u64::try_from(end.since(now(self.platform))).unwrap();
            self.platform.advance(STEP.min(Duration::from_millis(left)));
            self.step().await;
        }
    }

    async fn step(&mut self) {
        for door in &self.doors {
            self.tokens.push(issue(self.platform, door).await);
        }
        let now = now(self.platform);
        self.tokens.retain(|token| exp(token) > now + Duration::from_secs(2));
        // Of each key the oldest and the newest: the others lie in between.
        let mut sample: Vec<&String> = Vec::new();
        for token in &self.tokens {
            let same = |other: &&&String| kid(other) == kid(token);
            let first = !sample.iter().any(|other| same(&other));
            let last = self.tokens.iter().rev().find(|other| kid(other) == kid(token)) == Some(token);
            if first || last {
                sample.push(token);
            }
        }
        for token in sample {
            for door in &self.doors {
                assert_eq!(guarded(door, token).await, 200, "{} at {now}", kid(token));
                assert!(introspected(self.platform, door, token).await, "{} at {now}", kid(token));
            }
            for verifier in &mut self.verifiers {
                assert!(verifier.accepts(token, now).await, "{} at {now}", kid(token));
            }
        }
    }

    fn newest(&self) -> Vec<String> {
        self.tokens.iter().rev().take(self.doors.len()).map(|token| kid(token)).collect()
    }
}

/// A whole roll: nobody refuses a token that lives, at any moment, whatever they remember.
#[tokio::test]
async fn a_roll_refuses_nobody() {
    let platform = platform("ab").await;
    platform.stop_clock();
    let (keys, other) = (keys(&platform), Instances::of(&platform).await);
    let doors = vec![platform.anonymous(), other.caller(&platform)];
    let mut all = Everybody { platform: &platform, doors: doors.clone(), verifiers: Vec::new(), tokens: Vec::new() };
    // Verifiers that began at different moments forget at different moments, and ask different instances.
    for round in 0..6 {
        all.verifiers.push(ThirdParty::of(doors[round % 2].clone()));
        all.live(Duration::from_secs(50)).await;
    }
    let old = all.newest()[0].clone();
    let slots = keys.list(Kind::Sandbox).await.unwrap();
    assert_eq!([slots[0].state, slots[1].state], [State::Signing, State::Unpublished], "{slots:?}");
    assert_eq!((slots[0].kid.as_str(), slots[0].signs_since.is_some()), (old.as_str(), true));
    let new = slots[1].kid.clone();

    // Not published: it cannot sign. Published: it cannot sign yet.
    let refused = keys.sign(Kind::Sandbox, Some(&new), Early::Refuse).await.unwrap_err().to_string();
    assert!(refused.contains("is not published"), "{refused}");
    let begun = now(&platform);
    let standing = keys.publish(Kind::Sandbox, None).await.unwrap();
    assert_eq!((standing.kid.as_str(), standing.state), (new.as_str(), State::Published));
    assert_eq!(standing.may_sign_at, standing.published_at.map(|at| at + before_signing()));
    let refused = keys.sign(Kind::Sandbox, None, Early::Refuse).await.unwrap_err().to_string();
    assert!(refused.contains("in 6 min") && refused.contains("--wait"), "{refused}");
    let may_sign = standing.may_sign_at.unwrap();
    let almost = may_sign.earlier_by(Duration::from_secs(2));
    all.live(Duration::from_millis(u64::try_from(almost.since(now(&platform))).unwrap())).await;
    let refused = keys.sign(Kind::Sandbox, None, Early::Refuse).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("from {may_sign} on")), "{refused}");
    assert!(now(&platform) < begun + before_signing());
    assert_eq!(all.newest(), [old.clone(), old.clone()]);
    platform.advance(SIGNER_FRESH);
    all.step().await;

    // One instance has just read who signs, and goes on by that for a minute; nobody minds.
    let standing = keys.sign(Kind::Sandbox, None, Early::Refuse).await.unwrap();
    assert_eq!((standing.kid.as_str(), standing.state), (new.as_str(), State::Signing));
    all.step().await;
    assert!(all.newest().contains(&old), "an instance that remembers");
    all.live(SIGNER_FRESH).await;
    assert_eq!(all.newest(), [new.clone(), new.clone()]);

    // The old one is not retired before its last token is over, the new one not at all.
    let refused = keys.retire(Kind::Sandbox, None, Early::Refuse).await.unwrap_err().to_string();
    assert!(refused.contains(&old) && refused.contains("in 64 min"), "{refused}");
    let refused = keys.retire(Kind::Sandbox, Some(&new), Early::Now).await.unwrap_err().to_string();
    assert!(refused.contains("signs: have another key sign first"), "{refused}");
    let stopped = keys.list(Kind::Sandbox).await.unwrap()[0].clone();
    assert_eq!((stopped.kid.as_str(), stopped.state), (old.as_str(), State::Published));
    let may_retire = stopped.may_retire_at.unwrap();
    assert_eq!(may_retire, stopped.stopped_at.unwrap() + before_retiring());
    let almost = may_retire.earlier_by(Duration::from_secs(2));
    all.live(Duration::from_millis(u64::try_from(almost.since(now(&platform))).unwrap())).await;
    assert!(keys.retire(Kind::Sandbox, None, Early::Refuse).await.is_err());
    assert!(all.tokens.iter().all(|token| kid(token) == new), "every token of the old key is over");
    platform.advance(Duration::from_secs(3));
    let standing = keys.retire(Kind::Sandbox, None, Early::Refuse).await.unwrap();
    assert_eq!((standing.kid.as_str(), standing.state), (old.as_str(), State::Retired));
    all.live(Duration::from_mins(6)).await;
    for door in &doors {
        let published = published(door).await;
        assert!(published.contains(&new) && !published.contains(&old), "{published:?}");
    }

    // It never comes back, whoever still has it among the settings.
    let newcomer = Instances::of(&platform).await;
    assert_eq!(kid(&issue(&platform, &newcomer.caller(&platform)).await), new);
    assert!(!published(&newcomer.caller(&platform)).await.contains(&old));
    let retired = keys.list(Kind::Sandbox).await.unwrap()[0].clone();
    assert_eq!((retired.state, retired.may_sign_at, retired.may_retire_at), (State::Retired, None, None));
    let refused = keys.publish(Kind::Sandbox, retired.key.as_deref()).await.unwrap_err().to_string();
    assert!(refused.contains("never published again"), "{refused}");
    let refused = keys.sign(Kind::Sandbox, Some(&old), Early::Now).await.unwrap_err().to_string();
    assert!(refused.contains("was retired"), "{refused}");
}

/// An emergency: the new key signs at once and the old one is withdrawn at once. Its tokens die in the authorizers' five minutes, new
/// ones work here from the first.
#[tokio::test]
async fn an_emergency_ends_every_token_of_the_old_key() {
    let platform = platform("ab").await;
    let (keys, other) = (keys(&platform), Instances::of(&platform).await);
    let doors = [platform.anonymous(), other.caller(&platform)];
    let old: Vec<String> = [issue(&platform, &doors[0]).await, issue(&platform, &doors[1]).await].into();
    let mut verifier = ThirdParty::of(doors[0].clone());
    for token in &old {
        assert_eq!(guarded(&doors[0], token).await, 200);
        assert!(verifier.accepts(token, now(&platform)).await);
    }
    keys.publish(Kind::Sandbox, None).await.unwrap();
    keys.sign(Kind::Sandbox, None, Early::Now).await.unwrap();
    platform.advance(SIGNER_FRESH);
    let new = issue(&platform, &doors[0]).await;
    assert_ne!(kid(&new), kid(&old[0]));
    for door in &doors {
        assert_eq!(guarded(door, &new).await, 200, "the authorizers look for a key that they do not know");
    }
    assert!(!verifier.accepts(&new, now(&platform)).await, "that is what --now costs");
    keys.retire(Kind::Sandbox, None, Early::Now).await.unwrap();
    platform.advance(TRUST_USABLE);
    for door in &doors {
        for token in &old {
            assert!(exp(token) > now(&platform), "it is not its end that ends it");
            assert_eq!(guarded(door, token).await, 401);
            assert!(!introspected(&platform, door, token).await);
        }
        assert!(!published(door).await.contains(&kid(&old[0])));
        assert_eq!(guarded(door, &new).await, 200);
    }
    assert!(verifier.accepts(&new, now(&platform)).await && !verifier.accepts(&old[0], now(&platform)).await);
}

/// A switch that was a mistake is taken back at once: the old key has been known for long.
#[tokio::test]
async fn a_switch_is_taken_back() {
    let platform = platform("ab").await;
    let keys = keys(&platform);
    let old = kid(&issue(&platform, &platform.anonymous()).await);
    let new = keys.publish(Kind::Sandbox, None).await.unwrap().kid;
    platform.advance(before_signing());
    keys.sign(Kind::Sandbox, None, Early::Refuse).await.unwrap();
    platform.advance(SIGNER_FRESH);
    assert_eq!(kid(&issue(&platform, &platform.anonymous()).await), new);
    let back = keys.sign(Kind::Sandbox, None, Early::Refuse).await.unwrap();
    assert_eq!((back.kid.as_str(), back.stopped_at), (old.as_str(), None));
    platform.advance(SIGNER_FRESH);
    assert_eq!(kid(&issue(&platform, &platform.anonymous()).await), old);
    let refused = keys.sign(Kind::Sandbox, Some(&old), Early::Refuse).await.unwrap_err().to_string();
    assert!(refused.contains("signs already"), "{refused}");
    let refused = keys.retire(Kind::Sandbox, None, Early::Refuse).await.unwrap_err().to_string();
    assert!(refused.contains(&new), "the other one signed too: {refused}");
}

/// A key that never signed is withdrawn without a wait, for there is no token of it; but only by its name, for it may be the next.
#[tokio::test]
async fn a_key_that_never_signed_is_retired_at_once() {
    let platform = platform("ab").await;
    let keys = keys(&platform);
    let refused = keys.retire(Kind::Live, None, Early::Refuse).await.unwrap_err().to_string();
    assert!(refused.contains("there is no published key"), "{refused}");
    issue(&platform, &platform.anonymous()).await;
    let new = keys.publish(Kind::Sandbox, None).await.unwrap().kid;
    for early in [Early::Refuse, Early::Now] {
        let refused = keys.retire(Kind::Sandbox, None, early).await.unwrap_err().to_string();
        assert!(refused.contains("one that never signed must be named by --kid"), "{refused}");
    }
    assert_eq!(keys.list(Kind::Sandbox).await.unwrap()[1].state, State::Published);
    let retired = keys.retire(Kind::Sandbox, Some(&new), Early::Refuse).await.unwrap();
    assert_eq!((retired.kid, retired.state), (new, State::Retired));
}

/// Of two operators at once, one is told to look again.
#[tokio::test]
async fn two_operators_do_not_undo_each_other() {
    let platform = platform("ab").await;
    let (one, two) = (keys(&platform), keys(&platform));
    issue(&platform, &platform.anonymous()).await;
    let (first, second) = tokio::join!(one.publish(Kind::Sandbox, None), two.publish(Kind::Sandbox, None));
    assert_eq!([&first, &second].iter().filter(|done| done.is_ok()).count(), 1, "{first:?} {second:?}");
    platform.advance(before_signing());
    let kid = keys(&platform).list(Kind::Sandbox).await.unwrap()[1].kid.clone();
    let sign = async |keys: &SigningKeys| keys.sign(Kind::Sandbox, Some(&kid), Early::Refuse).await;
    let retire = async |keys: &SigningKeys| keys.retire(Kind::Sandbox, Some(&kid), Early::Refuse).await;
    let (signed, retired) = tokio::join!(sign(&one), retire(&two));
    assert!(signed.is_ok() != retired.is_ok(), "{signed:?} {retired:?}");
    issue(&platform, &platform.anonymous()).await;
}
