//! The whole way of a token: claims, a signature as KMS makes it, the published key, the verifier.
//! Most of it is about tokens that must not be believed.

mod header_members;
mod mint;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{allowlist::Allowlist, ids::Guid, key::Owner, key_mode::KeyMode, time::Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use self::mint::{KmsKey, LIVE, NOW, SANDBOX, VERIFIER, claims, header};
use super::*;

fn expected() -> Expected {
    Expected::of_issuer("https://issuer.example")
        .accepting(KeyMode::Sandbox, "https://sandbox.example")
}

fn refused(token: &str) -> VerificationError {
    VERIFIER.verify_signature(token).unwrap_err()
}

fn with(mut value: Value, member: &str, new: Value) -> Value {
    value[member] = new;
    value
}

#[test]
fn a_token_reads_back_as_it_was_issued() {
    let verified = VERIFIER
        .verify_signature(&SANDBOX.token(&claims()))
        .unwrap();
    assert_eq!(*verified.claims(), claims());
    assert_eq!(verified.check(&expected(), NOW), Ok(()));
    assert!(VERIFIER.trusts(&verified));
    assert!(
        !Verifier::new([(KeyMode::Sandbox, LIVE.jwk())])
            .unwrap()
            .trusts(&verified),
        "a withdrawn key takes its tokens with it"
    );
    assert!(
        !Verifier::new([(KeyMode::Live, SANDBOX.jwk())])
            .unwrap()
            .trusts(&verified)
    );
}

#[test]
fn the_wire_has_the_contracts_header_and_claims() {
    let json = URL_SAFE_NO_PAD
        .decode(SANDBOX.token(&claims()).split('.').next().unwrap())
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), header());
    let expected = json!({
        "iss": "https://issuer.example", "aud": "https://sandbox.example",
        "sub": claims().client_id, "jti": claims().jti,
        "client_id": claims().client_id, "sid": claims().sid, "org": claims().org,
        "owner": format!("bank:{}", "05".repeat(16)),
        "bank": "05".repeat(16), "env": "sandbox", "key_created": 1_700_000_000_123_i64,
        "scope": "accounts:write banks:read",
        "ip_allowlist": ["8.8.8.0/24"], "iat": 1_900_000_000, "nbf": 1_900_000_000,
        "exp": 1_900_001_800,
    });
    assert_eq!(serde_json::to_value(claims()).unwrap(), expected);
    let organization = Claims {
        owner: Owner::Organization(Guid::from_bytes([4; 16])),
        ip_allowlist: Allowlist::default(),
        ..claims()
    };
    let wire = serde_json::to_value(organization).unwrap();
    assert!(
        wire.get("bank").is_none() && wire.get("ip_allowlist").is_none(),
        "absent, not null or empty"
    );
}

#[test]
fn tokens_over_4096_bytes_are_neither_issued_nor_parsed() {
    let scopes = |count: usize| {
        (0..count)
            .map(|n| format!("{n:0>50}:read"))
            .collect::<Vec<_>>()
            .join(" ")
            .parse()
            .unwrap()
    };
    assert_eq!(
        unsigned(
            "kid",
            &Claims {
                scope: scopes(100),
                ..claims()
            }
        ),
        Err(SigningError::TooLong)
    );
    let longest = (1..100)
        .map_while(|count| {
            unsigned(
                SANDBOX.jwk().kid(),
                &Claims {
                    scope: scopes(count),
                    ..claims()
                },
            )
            .ok()
        })
        .last()
        .unwrap();
    assert!(SANDBOX.sign(longest).len() <= MAX_TOKEN);
    assert_eq!(
        refused(&"x".repeat(MAX_TOKEN + 1)),
        VerificationError::TooLong
    );
    assert_eq!(
        refused(&"x".repeat(MAX_TOKEN)),
        VerificationError::Malformed
    );
}

#[test]
fn only_a_der_signature_finishes_a_token() {
    for der in [
        &[][..],
        &[0x30],
        &[0_u8; 64],
        &[0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00],
    ] {
        assert_eq!(assemble("a.b".into(), der), Err(SigningError::BadSignature));
    }
}

#[test]
fn another_algorithm_is_refused() {
    let claims = serde_json::to_value(claims()).unwrap();
    for alg in [
        "none", "None", "HS256", "RS256", "ES384", "EdDSA", "es256", "",
    ] {
        assert_eq!(
            refused(&SANDBOX.forged(&with(header(), "alg", alg.into()), &claims)),
            VerificationError::WrongAlgorithm,
            "{alg}"
        );
    }
    // Without a signature, and signed by HMAC with what is public.
    let unsigned = |alg: &str| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!(
            "{}.{}",
            part(&with(header(), "alg", alg.into())),
            part(&claims)
        )
    };
    assert_eq!(
        refused(&format!("{}.", unsigned("none"))),
        VerificationError::WrongAlgorithm
    );
    let public = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &SANDBOX.public_point());
    let tag = aws_lc_rs::hmac::sign(&public, unsigned("HS256").as_bytes());
    assert_eq!(
        refused(&format!(
            "{}.{}",
            unsigned("HS256"),
            URL_SAFE_NO_PAD.encode(tag)
        )),
        VerificationError::WrongAlgorithm
    );
}

#[test]
fn a_header_that_is_not_an_access_tokens_is_refused() {
    let claims = serde_json::to_value(claims()).unwrap();
    let refused_with = |header: &Value| refused(&SANDBOX.forged(header, &claims));
    for typ in [
        "JWT",
        "jwt",
        "",
        "at+jwt ",
        "application/jwt",
        "application/application/at+jwt",
        "xpplication/at+jwt",
        "at+jwté",
    ] {
        assert_eq!(
            refused_with(&with(header(), "typ", typ.into())),
            VerificationError::WrongType,
            "{typ}"
        );
    }
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
    ] {
        assert!(
            VERIFIER
                .verify_signature(&SANDBOX.forged(&with(header(), "typ", typ.into()), &claims))
                .is_ok(),
            "{typ}"
        );
    }
    for crit in [
        json!(["exp"]),
        json!(["b64"]),
        json!([]),
        json!(null),
        json!("exp"),
    ] {
        assert_eq!(
            refused_with(&with(header(), "crit", crit.clone())),
            VerificationError::Critical,
            "{crit}"
        );
    }
    for (member, error) in [
        ("typ", VerificationError::WrongType),
        ("kid", VerificationError::NoKeyId),
        ("alg", VerificationError::Malformed),
    ] {
        let mut header = header();
        header.as_object_mut().unwrap().remove(member);
        assert_eq!(refused_with(&header), error, "without {member}");
    }
    assert_eq!(refused_with(&json!([])), VerificationError::Malformed);
    let twice = SANDBOX.sign(format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(format!(
            r#"{{"typ":"at+jwt","typ":"at+jwt","alg":"ES256","kid":"{}"}}"#,
            SANDBOX.jwk().kid()
        )),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    ));
    assert_eq!(refused(&twice), VerificationError::Malformed);
}

#[test]
fn a_key_vouches_for_its_own_kind_alone() {
    assert_eq!(
        refused(&LIVE.token(&claims())),
        VerificationError::KeyOfOtherKind
    );
    let stranger = KmsKey::new();
    assert_eq!(
        refused(&stranger.token(&claims())),
        VerificationError::UnknownKey
    );
    let claims = serde_json::to_value(claims()).unwrap();
    assert_eq!(
        refused(&stranger.forged(&header(), &claims)),
        VerificationError::BadSignature
    );
    assert_eq!(
        refused(&LIVE.forged(&header(), &claims)),
        VerificationError::BadSignature,
        "the kid of the other kind"
    );
    assert!(
        Verifier::new([
            (KeyMode::Sandbox, SANDBOX.jwk()),
            (KeyMode::Live, SANDBOX.jwk())
        ])
        .is_err()
    );
}

#[test]
fn a_key_in_the_header_is_not_trusted() {
    let stranger = KmsKey::new();
    let claims = serde_json::to_value(claims()).unwrap();
    let header = with(
        with(
            header(),
            "jwk",
            serde_json::to_value(stranger.jwk()).unwrap(),
        ),
        "jku",
        json!("https://evil.example"),
    );
    assert_eq!(
        refused(&stranger.forged(&header, &claims)),
        VerificationError::BadSignature
    );
}

#[test]
fn other_shapes_are_malformed() {
    let token = SANDBOX.token(&claims());
    for shape in [
        format!("{token}."),
        format!(".{token}"),
        token.replacen('.', "..", 1),
        token.replace('.', ""),
        String::new(),
        "..".into(),
    ] {
        assert_eq!(refused(&shape), VerificationError::Malformed);
    }
    assert!(
        [format!("{token}="), format!(" {token}")]
            .iter()
            .all(|shape| VERIFIER.verify_signature(shape).is_err())
    );
}

#[test]
fn claims_that_are_signed_and_wrong_are_refused() {
    let good = serde_json::to_value(claims()).unwrap();
    for (member, value) in [
        ("aud", json!(["https://sandbox.example"])),
        ("sub", json!("0".repeat(22))),
        ("bank", json!("06".repeat(16))),
        ("bank", json!(null)),
        ("owner", json!("user:1")),
        ("env", json!("production")),
        ("scope", json!(["banks:read"])),
        ("scope", json!("banks")),
        ("ip_allowlist", json!(null)),
        ("ip_allowlist", json!("8.8.8.8")),
        ("ip_allowlist", json!(["10.0.0.0/8"])),
        (
            "ip_allowlist",
            json!(["8.8.8.8", "1.1.1.1", "9.9.9.9", "4.4.4.4"]),
        ),
        ("exp", json!(1_900_001_800.5)),
        ("exp", json!("1900001800")),
        ("exp", json!(-1)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(i64::MAX)),
        ("nbf", json!(-1)),
    ] {
        assert_eq!(
            refused(&SANDBOX.forged(&header(), &with(good.clone(), member, value.clone()))),
            VerificationError::BadClaims,
            "{member} {value}"
        );
    }
    for member in good
        .as_object()
        .unwrap()
        .keys()
        .filter(|member| *member != "ip_allowlist")
    {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(member);
        assert_eq!(
            refused(&SANDBOX.forged(&header(), &claims)),
            VerificationError::BadClaims,
            "without {member}"
        );
    }
    assert!(
        VERIFIER
            .verify_signature(&SANDBOX.forged(&header(), &with(good, "act", json!({"sub": "x"}))))
            .is_ok(),
        "RFC 7519 §4"
    );
}

#[test]
fn cyb_9_a_token_dies_at_exp_to_the_millisecond_and_the_start_has_five_seconds() {
    let verified = VERIFIER
        .verify_signature(&SANDBOX.token(&claims()))
        .unwrap();
    let at =
        |millis: i64| verified.check(&expected(), Timestamp::from_millis(NOW.millis() + millis));
    assert_eq!(at(1_799_999), Ok(()));
    assert_eq!(at(1_800_000), Err(VerificationError::Expired));
    assert_eq!(at(-5000), Ok(()));
    assert_eq!(at(-5001), Err(VerificationError::NotYetValid));
    let hour = Claims {
        exp: Timestamp::from_seconds(NOW.seconds() + 3600),
        ..claims()
    };
    assert_eq!(
        VERIFIER
            .verify_signature(&SANDBOX.token(&hour))
            .unwrap()
            .check(&expected(), NOW),
        Ok(())
    );
    let longer = Claims {
        exp: Timestamp::from_seconds(NOW.seconds() + 3601),
        ..claims()
    };
    assert_eq!(
        VERIFIER
            .verify_signature(&SANDBOX.token(&longer))
            .unwrap()
            .check(&expected(), NOW),
        Err(VerificationError::TooLongLived)
    );
    let later = Claims {
        nbf: Timestamp::from_seconds(NOW.seconds() + 60),
        ..claims()
    };
    assert_eq!(
        VERIFIER
            .verify_signature(&SANDBOX.token(&later))
            .unwrap()
            .check(&expected(), NOW),
        Err(VerificationError::NotYetValid)
    );
}

#[test]
fn another_issuer_kind_or_audience_is_refused() {
    let verified = VERIFIER
        .verify_signature(&SANDBOX.token(&claims()))
        .unwrap();
    let accepting =
        |kind, audience| Expected::of_issuer("https://issuer.example").accepting(kind, audience);
    assert_eq!(
        verified.check(&Expected::of_issuer("https://issuer.example/"), NOW),
        Err(VerificationError::WrongIssuer)
    );
    assert_eq!(
        verified.check(&accepting(KeyMode::Live, "https://sandbox.example"), NOW),
        Err(VerificationError::WrongKind)
    );
    assert_eq!(
        verified.check(&accepting(KeyMode::Sandbox, "https://live.example"), NOW),
        Err(VerificationError::WrongAudience)
    );
    assert_eq!(
        verified.check(&Expected::of_issuer("https://issuer.example"), NOW),
        Err(VerificationError::WrongKind)
    );
}

proptest! {
    #[test]
    fn a_token_with_one_byte_changed_is_refused(at: prop::sample::Index, to in 0x20_u8..0x7f) {
        let token = SANDBOX.token(&claims());
        let mut bytes = token.clone().into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        prop_assert!(VERIFIER.verify_signature(std::str::from_utf8(&bytes).unwrap()).is_err());
    }

    #[test]
    fn a_token_cut_short_or_with_more_after_it_is_refused(
        at: prop::sample::Index,
        more in "[A-Za-z0-9_.=-]{1,8}",
    ) {
        let token = SANDBOX.token(&claims());
        prop_assert!(VERIFIER.verify_signature(&token[..at.index(token.len())]).is_err());
        let longer = format!("{token}{more}");
        prop_assert!(VERIFIER.verify_signature(&longer).is_err());
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text: String) {
        prop_assert!(VERIFIER.verify_signature(&text).is_err());
    }

    #[test]
    fn key_created_keeps_its_milliseconds(millis in 0..253_402_300_799_999_i64) {
        let claims = Claims { key_created: Timestamp::from_millis(millis), ..claims() };
        let read: Claims = serde_json::from_str(&serde_json::to_string(&claims).unwrap()).unwrap();
        prop_assert_eq!(read, claims);
    }
}
