//! Keys as KMS has them, and tokens by them.

use std::sync::LazyLock;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    allowlist::Allowlist,
    ids::{ClientId, Guid, SecretId},
    key::Owner,
    key_mode::KeyMode,
    time::Timestamp,
};
use serde_json::{Value, json};

use crate::{Claims, Jwk, Verifier, assemble, unsigned};

/// A KMS key: it signs in DER and shows its public half as `SubjectPublicKeyInfo`.
pub(super) struct KmsKey(EcdsaKeyPair);

impl KmsKey {
    pub(super) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub(super) fn public_point(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    pub(super) fn jwk(&self) -> Jwk {
        // The fixed DER before an uncompressed P-256 point (RFC 5480 §2).
        let mut spki = vec![
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
        ];
        spki.extend([
            0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ]);
        spki.extend(self.public_point());
        Jwk::from_spki(&spki).unwrap()
    }

    pub(super) fn sign(&self, unsigned: String) -> String {
        #[expect(clippy::disallowed_methods, reason = "a signature's nonce, in a test")]
        let random = SystemRandom::new();
        let der = self.0.sign(&random, unsigned.as_bytes()).unwrap();
        assemble(unsigned, der.as_ref()).unwrap()
    }

    pub(super) fn token(&self, claims: &Claims) -> String {
        self.sign(unsigned(self.jwk().kid(), claims).unwrap())
    }

    /// A token whose signature holds, whatever its header and claims say.
    pub(super) fn forged(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        self.sign(format!("{}.{}", part(header), part(claims)))
    }
}

pub(super) static SANDBOX: LazyLock<KmsKey> = LazyLock::new(KmsKey::new);
pub(super) static LIVE: LazyLock<KmsKey> = LazyLock::new(KmsKey::new);
pub(super) static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    Verifier::new([
        (KeyMode::Sandbox, SANDBOX.jwk()),
        (KeyMode::Live, LIVE.jwk()),
    ])
    .unwrap()
});

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_900_000_000);

pub(super) fn claims() -> Claims {
    Claims {
        iss: "https://issuer.example".into(),
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
        exp: Timestamp::from_seconds(NOW.seconds() + 1800),
    }
}

pub(super) fn header() -> Value {
    json!({"typ": "at+jwt", "alg": "ES256", "kid": SANDBOX.jwk().kid()})
}
