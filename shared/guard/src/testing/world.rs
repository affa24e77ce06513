//! A small world to decide in: keys as KMS has them, tokens, a feed, settings.

use std::{sync::LazyLock, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use domain::{
    allowlist::Allowlist,
    feed::{Effect, Entry, Exchange, Feed, Page, Subject},
    ids::{ClientId, Guid, SecretId},
    key::Owner,
    key_mode::KeyMode,
    scope::Catalogue,
    time::Timestamp,
};
use jwt::{Claims, Expected, Jwk, Verifier};

use super::person::{Person, brand};
use crate::{
    decide::{Presented, decide},
    decision::{Decision, KeyError, LookUpResult, Unauthorized},
    request::Request,
    routes::Routes,
    settings::Settings,
    verified_tokens::VerifiedTokens,
};

/// A KMS key.
pub struct KmsKey(EcdsaKeyPair);

impl KmsKey {
    /// Another key pair.
    pub fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    /// The public key as it is published.
    pub fn jwk(&self) -> Jwk {
        // The fixed DER before an uncompressed P-256 point (RFC 5480 §2).
        let mut spki = vec![
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
        ];
        spki.extend([
            0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ]);
        spki.extend(self.0.public_key().as_ref());
        Jwk::from_spki(&spki).unwrap()
    }

    /// A token with these claims, signed by this key.
    pub fn token(&self, claims: &Claims) -> String {
        let unsigned = jwt::unsigned(self.jwk().kid(), claims).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a signature's nonce, in a test")]
        let random = SystemRandom::new();
        let der = self.0.sign(&random, unsigned.as_bytes()).unwrap();
        jwt::assemble(unsigned, der.as_ref()).unwrap()
    }
}

/// The key that signs sandbox tokens.
pub static SANDBOX: LazyLock<KmsKey> = LazyLock::new(KmsKey::new);
/// The key that signs live tokens.
pub static LIVE: LazyLock<KmsKey> = LazyLock::new(KmsKey::new);

/// The present moment.
pub const NOW: Timestamp = Timestamp::from_seconds(1_900_000_000);
/// The issuer of the tokens.
pub const ISSUER: &str = "https://issuer.example";
/// An address on the allowlist of [`claims`].
pub const ADDRESS: &str = "8.8.8.8";

/// This many milliseconds after [`NOW`].
pub fn later(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + millis)
}

/// The claims of a bank's sandbox token that passes.
pub fn claims() -> Claims {
    Claims {
        iss: ISSUER.into(),
        aud: "https://sandbox.example".into(),
        jti: Guid::from_bytes([1; 16]),
        client_id: ClientId::of(Guid::from_bytes([2; 16])),
        sid: SecretId::from_bytes([3; 16]),
        org: Guid::from_bytes([4; 16]),
        owner: Owner::Bank(Guid::from_bytes([5; 16])),
        customer: None,
        parent: None,
        env: KeyMode::Sandbox,
        key_created: Timestamp::from_millis(1_700_000_000_123),
        scope: "banks:read accounts:write".parse().unwrap(),
        ip_allowlist: Allowlist::parse(&["8.8.8.0/24"]).unwrap(),
        iat: NOW,
        nbf: NOW,
        exp: NOW + Duration::from_mins(30),
    }
}

/// Everything that a decision depends on.
pub struct World {
    /// What the guard accepts.
    pub settings: Settings,
    /// The trusted signing keys.
    pub verifier: Verifier,
    /// The tokens that were verified before.
    pub tokens: VerifiedTokens,
    /// Whose every secret is, or why it is nobody's.
    pub person: Result<Person, KeyError>,
    /// The revocation feed.
    pub feed: Feed,
    /// The present moment.
    pub now: Timestamp,
}

impl World {
    /// In which the token of [`claims`] passes, and the secret of [`Person::new`].
    pub fn new() -> Self {
        let routes = r#"{"GET /banks/{guid}": ["banks:read", "organizations:read"], "POST /banks": ["banks:execute"], "GET /open": [], "$connect": []}"#;
        let settings = Settings {
            core_table: "core".into(),
            feed_table: "feed".into(),
            pepper_secret: Some("pepper".into()),
            brand: brand(),
            catalogue: Catalogue::default(),
            expected: Expected::of_issuer(ISSUER)
                .accepting(KeyMode::Sandbox, "https://sandbox.example"),
            routes: Routes::parse(routes).unwrap(),
        };
        let verifier = Verifier::new([
            (KeyMode::Sandbox, SANDBOX.jwk()),
            (KeyMode::Live, LIVE.jwk()),
        ])
        .unwrap();
        let (tokens, person) = (VerifiedTokens::default(), Ok(Person::new()));
        Self {
            settings,
            verifier,
            tokens,
            person,
            feed: feed(NOW, &[]),
            now: NOW,
        }
    }

    /// [`World::new`] with these entries in the feed.
    pub fn with_feed(entries: &[(Effect, Subject)]) -> Self {
        Self {
            feed: feed(NOW, entries),
            ..Self::new()
        }
    }

    /// What the guard does, over these values.
    pub fn decide(&self, request: &Request) -> Decision {
        let bearer = match &request.credential {
            Ok(bearer) => bearer,
            Err(why) => return Decision::Unauthorized(Unauthorized::NoBearer(*why)),
        };
        let decide = |presented| {
            decide(
                &self.settings,
                presented,
                request,
                &self.feed,
                LookUpResult::NotRead,
                self.now,
            )
        };
        if bearer.secret(&self.settings.brand).is_some() {
            let key = self.person.as_ref().map(Person::read);
            return decide(
                key.as_ref()
                    .map(Presented::Key)
                    .map_err(|why| Unauthorized::Key(**why)),
            );
        }
        let verified =
            self.tokens
                .verify(bearer, &self.verifier, request.moment(self.now).latest());
        decide(
            verified
                .as_deref()
                .map(Presented::Token)
                .map_err(|why| Unauthorized::Token(*why)),
        )
    }
}

/// A feed that was read at `at` and held these entries.
pub fn feed(at: Timestamp, entries: &[(Effect, Subject)]) -> Feed {
    let mut feed = Feed::default();
    let date = Timestamp::from_seconds(at.seconds());
    let entry = |(effect, subject): &(Effect, Subject)| Entry {
        time: date,
        id: "1".into(),
        effect: *effect,
        subject: subject.clone(),
    };
    let exchange = Exchange {
        sent: at,
        answered: at,
        date,
    };
    read(&mut feed, entries.iter().map(entry), exchange);
    feed
}

/// A whole pass over the feed in one page.
pub fn read(feed: &mut Feed, entries: impl IntoIterator<Item = Entry>, exchange: Exchange) {
    let query = feed.query(exchange.sent);
    let page = Page {
        entries: entries.into_iter().collect(),
        more_after: None,
        exchange,
    };
    feed.absorb(&query, page).unwrap();
}

/// A request with this token, for the route that it may call, from an address on its list.
pub fn request(token: &str) -> Request {
    Request::new(
        Some(&format!("Bearer {token}")),
        ADDRESS.parse().ok(),
        "GET /banks/{guid}",
        None,
    )
}
