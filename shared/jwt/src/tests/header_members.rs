//! What the members of a header do that the RFCs define beside `typ`, `alg` and `kid`; each in a
//! token whose signature holds.

use super::*;

/// A token with this text as its header.
fn with_header(json: &str) -> String {
    let claims = serde_json::to_string(&claims()).unwrap();
    SANDBOX.sign(format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(json),
        URL_SAFE_NO_PAD.encode(claims)
    ))
}

/// What becomes of a token with these members in its header beside ours.
fn with_members(members: &str) -> Option<VerificationError> {
    let ours = header().to_string();
    let ours = ours.strip_suffix('}').unwrap();
    VERIFIER
        .verify_signature(&with_header(&format!("{ours},{members}}}")))
        .err()
}

/// RFC 7515 §4.1.11, RFC 7797 §6, RFC 7516 §4.1, RFC 7519 §5: what must be understood is refused,
/// and what changes nothing is passed over.
#[test]
fn rfc_7515_each_member_of_a_header_is_checked_refused_or_passed_over() {
    use VerificationError::{Critical, HeaderContradictsClaims, Malformed, OtherPayload};
    let subject = claims().subject();
    for (members, error) in [
        // Extensions: whatever stands in the list, none is understood.
        (r#""crit":["b64"],"b64":false"#, Some(Critical)),
        (r#""crit":["b64"],"b64":true"#, Some(Critical)),
        (r#""crit":["exp"],"exp":1900001800"#, Some(Critical)),
        (r#""crit":[]"#, Some(Critical)),
        (r#""crit":null"#, Some(Critical)),
        (r#""crit":true"#, Some(Critical)),
        // An unencoded payload (RFC 7797), said without the list that it must stand in.
        (r#""b64":false"#, Some(OtherPayload)),
        (r#""b64":true"#, None),
        (r#""b64":null"#, Some(Malformed)),
        (r#""b64":"false""#, Some(Malformed)),
        (r#""b64":0"#, Some(Malformed)),
        (r#""b64":[false]"#, Some(Malformed)),
        // An encrypted or compressed payload (RFC 7516), of a token that is neither.
        (r#""enc":"A128GCM""#, Some(OtherPayload)),
        (r#""enc":null"#, Some(OtherPayload)),
        (r#""zip":"DEF""#, Some(OtherPayload)),
        (r#""zip":null"#, Some(OtherPayload)),
        // A token within the token (RFC 7519 §5.2).
        (r#""cty":"JWT""#, Some(OtherPayload)),
        (r#""cty":"jwt""#, Some(OtherPayload)),
        (r#""cty":"application/jwt""#, Some(OtherPayload)),
        (r#""cty":"json""#, None),
        (r#""cty":1"#, Some(Malformed)),
        // Claims that the header repeats (RFC 7519 §5.3).
        (r#""iss":"https://issuer.example""#, None),
        (
            r#""iss":"https://other.example""#,
            Some(HeaderContradictsClaims),
        ),
        (r#""aud":"https://sandbox.example""#, None),
        (
            r#""aud":["https://sandbox.example"]"#,
            Some(HeaderContradictsClaims),
        ),
        (r#""aud":null"#, Some(HeaderContradictsClaims)),
        (r#""sub":"somebody""#, Some(HeaderContradictsClaims)),
        (&format!(r#""sub":"{subject}""#), None),
        // Keys and where they are: none is looked at (RFC 8725 §3.10).
        (r#""jku":"https://evil.example/jwks.json""#, None),
        (r#""x5u":"https://evil.example/chain.pem""#, None),
        (r#""x5t":"AAAA""#, None),
        (r#""x5t#S256":"AAAA""#, None),
        // What no RFC defines.
        (r#""made_up":{"any":["thing"]}"#, None),
        (r#""B64":false,"Crit":["b64"]"#, None),
    ] {
        assert_eq!(with_members(members), error, "{members}");
    }
}

/// RFC 7515 §4, RFC 7519 §4: a name that stands twice, ours or not, with one value or two.
#[test]
fn rfc_7515_a_member_that_stands_twice_is_refused_in_header_and_claims() {
    for members in [
        r#""typ":"at+jwt""#,
        r#""alg":"ES256""#,
        r#""alg":"none""#,
        r#""kid":"other""#,
        r#""b64":true,"b64":false"#,
        r#""b64":true,"b64":true"#,
        r#""made_up":1,"made_up":2"#,
        r#""made_up":1,"made\u005fup":1"#,
    ] {
        assert_eq!(
            with_members(members),
            Some(VerificationError::Malformed),
            "{members}"
        );
    }
    let ours = serde_json::to_string(&claims()).unwrap();
    let ours = ours.strip_suffix('}').unwrap();
    for members in [
        r#""scope":"banks:read accounts:write""#,
        r#""exp":1900001800"#,
        r#""\u0065xp":1900001800"#,
        r#""made_up":1,"made_up":1"#,
    ] {
        let token = SANDBOX.sign(format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header().to_string()),
            URL_SAFE_NO_PAD.encode(format!("{ours},{members}}}"))
        ));
        assert_eq!(refused(&token), VerificationError::BadClaims, "{members}");
    }
    assert_eq!(with_members(r#""made_up":1,"made_up_too":1"#), None);
}

/// RFC 7515 §4.1: a header is a JSON object, of texts where texts are due.
#[test]
fn rfc_7515_a_header_or_claims_of_another_type_are_refused() {
    let kid = SANDBOX.jwk().kid().to_owned();
    for json in [
        format!(r#"["at+jwt","ES256","{kid}"]"#),
        format!(r#"["at+jwt","ES256","{kid}",false]"#),
        format!(r#"{{"typ":["at+jwt"],"alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":["ES256"],"kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":null,"kid":"{kid}"}}"#),
        r#"{"typ":"at+jwt","alg":"ES256","kid":1}"#.to_owned(),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}} {{}}"#),
        "null".to_owned(),
        r#""at+jwt""#.to_owned(),
    ] {
        assert_eq!(
            refused(&with_header(&json)),
            VerificationError::Malformed,
            "{json}"
        );
    }
    let claims = serde_json::to_value(claims()).unwrap();
    let in_order: Vec<_> = [
        "iss",
        "aud",
        "sub",
        "jti",
        "client_id",
        "sid",
        "org",
        "owner",
        "bank",
        "customer",
        "parent",
        "env",
        "key_created",
        "scope",
        "ip_allowlist",
        "iat",
        "nbf",
        "exp",
    ]
    .map(|name| claims[name].clone())
    .into();
    for claims in [
        json!(in_order),
        json!([claims]),
        json!("claims"),
        json!(null),
    ] {
        assert_eq!(
            refused(&SANDBOX.forged(&header(), &claims)),
            VerificationError::BadClaims,
            "{claims}"
        );
    }
}
