//! A small world to decide in: keys as KMS has them, tokens, a feed, settings.

use std::{sync::LazyLock, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use domain::{
    allowlist::Allowlist,
    feed::{Effect, Entry, Exchange, Feed, Subject},
    ids::{ClientId, Guid, SecretId},
    key::Owner,
    kind::Kind,
    scope::Catalogue,
    time::Timestamp,
};
use jwt::{Claims, Expected, Jwk, Verifier};
use serde_json::{Value, json};

use super::person::{Person, brand};
use crate::{
    answer::{self, Refused},
    decide::{Presented, decide},
    decision::{Decision, KeyRefusal, Unauthorized},
    events,
    request::Request,
    routes::Routes,
    settings::{HttpApiResponse, Settings},
    verified_tokens::VerifiedTokens,
};

/// A KMS key.
pub(crate) struct KmsKey(EcdsaKeyPair);

impl KmsKey {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub(crate) fn jwk(&self) -> Jwk {
        // The fixed DER before an uncompressed P-256 point (RFC 5480 §2).
        let mut spki = vec![0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        spki.extend([0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00]);
        spki.extend(self.0.public_key().as_ref());
        Jwk::from_spki(&spki).unwrap()
    }

    pub(crate) fn token(&self, claims: &Claims) -> String {
        let unsigned = jwt::unsigned(self.jwk().kid(), claims).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a signature's nonce, in a test")]
        let random = SystemRandom::new();
        let der = self.0.sign(&random, unsigned.as_bytes()).unwrap();
        jwt::finish(unsigned, der.as_ref()).unwrap()
    }
}

pub(crate) static SANDBOX: LazyLock<KmsKey> = LazyLock::new(KmsKey::new);
pub(crate) static LIVE: LazyLock<KmsKey> = LazyLock::new(KmsKey::new);

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_900_000_000);
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const ADDRESS: &str = "8.8.8.8";

pub(crate) fn later(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + millis)
}

pub(crate) fn claims() -> Claims {
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
        env: Kind::Sandbox,
        key_created: Timestamp::from_millis(1_700_000_000_123),
        scope: "banks:read accounts:write".parse().unwrap(),
        ip_allowlist: Allowlist::parse(&["8.8.8.0/24"]).unwrap(),
        iat: NOW,
        nbf: NOW,
        exp: NOW + Duration::from_mins(30),
    }
}

/// Everything that a decision depends on.
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) verifier: Verifier,
    pub(crate) tokens: VerifiedTokens,
    /// Whose every secret is, or why it is nobody's.
    pub(crate) person: Result<Person, KeyRefusal>,
    pub(crate) feed: Feed,
    pub(crate) now: Timestamp,
}

impl World {
    /// In which the token of [`claims`] passes, and the secret of [`Person::new`].
    pub(crate) fn new() -> Self {
        let routes = r#"{"GET /banks/{guid}": ["banks:read", "organizations:read"], "POST /banks": ["banks:execute"], "GET /open": [], "$connect": []}"#;
        let settings = Settings {
            core_table: "core".into(),
            feed_table: "feed".into(),
            audit_table: Some("audit".into()),
            pepper_secret: Some("pepper".into()),
            brand: brand(),
            catalogue: Catalogue::default(),
            expected: Expected::of_issuer(ISSUER).accepting(Kind::Sandbox, "https://sandbox.example"),
            routes: Routes::parse(routes).unwrap(),
            http_api_response: HttpApiResponse::Simple,
            usage_key: None,
        };
        let verifier = Verifier::new([(Kind::Sandbox, SANDBOX.jwk()), (Kind::Live, LIVE.jwk())]).unwrap();
        let (tokens, person) = (VerifiedTokens::default(), Ok(Person::new()));
        Self { settings, verifier, tokens, person, feed: feed(NOW, &[]), now: NOW }
    }

    pub(crate) fn with_feed(entries: &[(Effect, Subject)]) -> Self {
        Self { feed: feed(NOW, entries), ..Self::new() }
    }

    /// What the guard does, over these values.
    pub(crate) fn decide(&self, request: &Request) -> Decision {
        let bearer = match &request.credential {
            Ok(bearer) => bearer,
            Err(why) => return Decision::Unauthorized(Unauthorized::NoBearer(*why)),
        };
        let decide = |presented| decide(&self.settings, presented, request, &self.feed, self.now);
        if bearer.secret(&self.settings.brand).is_some() {
            let key = self.person.as_ref().map(Person::read);
            return decide(key.as_ref().map(Presented::Key).map_err(|why| Unauthorized::Key(**why)));
        }
        let verified = self.tokens.verify(bearer, &self.verifier, request.moment(self.now).latest());
        decide(verified.as_deref().map(Presented::Token).map_err(|why| Unauthorized::Token(*why)))
    }

    /// What the function answers to an event.
    pub(crate) fn answer(&self, event: Value) -> Result<Value, Refused> {
        let event = events::read(event, self.settings.http_api_response).map_err(|_| Refused::Unavailable("unknown_event"))?;
        answer::of(self.decide(&event.request), &event.form, self.settings.usage_key.as_deref())
    }
}

/// A feed that was read at `at` and held these entries.
pub(crate) fn feed(at: Timestamp, entries: &[(Effect, Subject)]) -> Feed {
    let mut feed = Feed::default();
    let date = Timestamp::from_seconds(at.seconds());
    let entry =
        |(effect, subject): &(Effect, Subject)| Entry { time: date, id: "1".into(), effect: *effect, subject: subject.clone() };
    feed.absorb(entries.iter().map(entry), &Exchange { sent: at, answered: at, date }).unwrap();
    feed
}

/// A request with this token, for the route that it may call, from an address on its list.
pub(crate) fn request(token: &str) -> Request {
    Request::new(Some(&format!("Bearer {token}")), ADDRESS.parse().ok(), "GET /banks/{guid}", None)
}

pub(crate) fn rest_event(token: &str) -> Value {
    json!({
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/GET/banks/05",
        "resource": "/banks/{guid}",
        "path": "/banks/05",
        "httpMethod": "GET",
        "headers": {"Accept": "*/*", "Authorization": format!("Bearer {token}"), "X-Forwarded-For": "1.1.1.1"},
        "multiValueHeaders": {"Accept": ["*/*"], "Authorization": [format!("Bearer {token}")], "X-Forwarded-For": ["1.1.1.1"]},
        "queryStringParameters": {},
        "multiValueQueryStringParameters": {},
        "pathParameters": {"guid": "05"},
        "stageVariables": {},
        "requestContext": {
            "resourceId": "05c7jb", "resourcePath": "/banks/{guid}", "httpMethod": "GET", "extendedRequestId": "x=",
            "requestTime": "17/Mar/2030:17:46:40 +0000", "path": "/v1/banks/05", "accountId": "123456789012",
            "protocol": "HTTP/1.1", "stage": "v1", "domainPrefix": "abcdef1234", "requestTimeEpoch": NOW.millis(),
            "requestId": "7f1b2a3c", "apiId": "abcdef1234",
            "identity": {"cognitoIdentityPoolId": null, "sourceIp": ADDRESS, "userAgent": "curl/8", "user": null},
            "domainName": "abcdef1234.execute-api.eu-west-1.amazonaws.com",
        },
    })
}
