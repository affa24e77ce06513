//! Tokens that somebody made or changed.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use local::services::Options;
use serde_json::{Value, json};
use tests::Platform;

use super::{PATH, assert_static_401};
use crate::credentials::{claims, part};

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// A value with some members changed; null takes one out.
fn changed(value: &Value, change: &Value) -> Value {
    let mut value = value.clone();
    for (name, member) in change.as_object().unwrap() {
        match member {
            Value::Null => value.as_object_mut().unwrap().remove(name),
            member => value
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), member.clone()),
        };
    }
    value
}

/// docs/requirements.md, Tokens: a token changed in any part is refused.
#[tokio::test]
async fn a_401_to_tampered_tokens() {
    let platform = Platform::start().await;
    let token = platform.token(&platform.seed.bank.key).await;
    let (header, said) = (part(&token, 0), claims(&token));
    let parts: Vec<&str> = token.split('.').collect();
    let [head, body, signature] = parts[..] else {
        panic!("three parts")
    };
    assert_eq!(platform.bearer(&token).get(PATH).await.status, 200);
    let live = platform
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .body["keys"]
        .as_array()
        .unwrap()
        .clone();
    let live = live
        .iter()
        .map(|key| &key["kid"])
        .find(|kid| **kid != header["kid"])
        .unwrap();
    let mut forged = Vec::new();
    for change in [
        json!({"kid": live}),
        json!({"kid": "unknown"}),
        json!({"kid": null}),
        json!({"typ": "JWT"}),
        json!({"typ": null}),
        json!({"crit": ["exp"], "exp": 1}),
        json!({"b64": false}),
        json!({"alg": "ES384"}),
        json!({"alg": "RS256"}),
        json!({"alg": null}),
    ] {
        forged.push((
            format!("header {change}"),
            format!("{}.{body}.{signature}", encoded(&changed(&header, &change))),
        ));
    }
    for change in [
        json!({"scope": "banks:execute"}),
        json!({"exp": said["exp"].as_i64().unwrap() + 3600}),
        json!({"env": "live", "aud": "urn:latchkey:live"}),
        json!({
            "client_id": platform.seed.organization.key.client_id,
            "sub": platform.seed.organization.key.client_id,
        }),
        json!({"jti": "0".repeat(32)}),
    ] {
        forged.push((
            format!("claims {change}"),
            format!("{head}.{}.{signature}", encoded(&changed(&said, &change))),
        ));
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for (what, index) in [("r", 0), ("s", 40), ("the last byte", 63)] {
        let mut bytes = bytes.clone();
        bytes[index] ^= 1;
        forged.push((
            format!("signature, {what}"),
            format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(bytes)),
        ));
    }
    // CVE-2022-21449: r = s = 0 signs everything where nobody checks.
    forged.push((
        "signature of zeros".into(),
        format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
    ));
    bytes.truncate(63);
    forged.push((
        "short signature".into(),
        format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(bytes)),
    ));
    forged.push(("no signature".into(), format!("{head}.{body}.")));
    forged.push(("two parts".into(), format!("{head}.{body}")));
    forged.push(("four parts".into(), format!("{token}.{signature}")));
    forged.push(("padding".into(), format!("{token}==")));
    for (what, token) in forged {
        assert_static_401(&platform.bearer(&token).get(PATH).await, &what);
    }
    assert_eq!(platform.bearer(&token).get(PATH).await.status, 200);
}

/// docs/requirements.md, Tokens: the algorithm comes from the JWK, never from the header. No
/// algorithm at all, and HMAC with every spelling of the public key as its secret, are refused.
#[tokio::test]
async fn a_401_to_algorithms_of_the_callers_choice() {
    let platform = Platform::start().await;
    let token = platform.token(&platform.seed.bank.key).await;
    let (header, body, signature) = (
        part(&token, 0),
        token.split('.').nth(1).unwrap(),
        token.rsplit('.').next().unwrap(),
    );
    for alg in ["none", "None", "NONE", ""] {
        let head = encoded(&changed(&header, &json!({"alg": alg})));
        for signature in ["", signature] {
            assert_static_401(
                &platform
                    .bearer(&format!("{head}.{body}.{signature}"))
                    .get(PATH)
                    .await,
                alg,
            );
        }
    }
    let published = platform.anonymous().get("/.well-known/jwks.json").await;
    let jwk = published.body["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == header["kid"])
        .unwrap();
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    // RFC 5480: id-ecPublicKey, prime256v1.
    let spki = [
        STANDARD
            .decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA=")
            .unwrap(),
        point.clone(),
    ]
    .concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n",
        &STANDARD.encode(&spki)[..64],
        &STANDARD.encode(&spki)[64..]
    );
    for secret in [
        point.clone(),
        point[1..].to_vec(),
        coordinate("x"),
        spki,
        pem.into_bytes(),
        jwk.to_string().into_bytes(),
        Vec::new(),
    ] {
        for alg in [Algorithm::HS256, Algorithm::HS512] {
            let mut header = Header::new(alg);
            header.typ = Some("at+jwt".into());
            header.kid = jwk["kid"].as_str().map(str::to_owned);
            let forged =
                jsonwebtoken::encode(&header, &claims(&token), &EncodingKey::from_secret(&secret))
                    .unwrap();
            assert_static_401(&platform.bearer(&forged).get(PATH).await, "HMAC");
        }
    }
}

/// Another deployment's token is refused, even one of the same issuer and under the name of a
/// trusted key.
#[tokio::test]
async fn a_401_to_another_keys_signature() {
    let options = || {
        let parameters = [("Issuer".to_owned(), "https://auth.example.com".to_owned())].into();
        Options {
            parameters,
            ..Options::default()
        }
    };
    let (ours, theirs) = (
        Platform::with(options()).await,
        Platform::with(options()).await,
    );
    let (mine, foreign) = (
        ours.token(&ours.seed.bank.key).await,
        theirs.token(&theirs.seed.bank.key).await,
    );
    assert_eq!(theirs.bearer(&foreign).get(PATH).await.status, 200);
    assert_static_401(&ours.bearer(&foreign).get(PATH).await, "an unknown key");
    let (body, signature) = (
        foreign.split('.').nth(1).unwrap(),
        foreign.rsplit('.').next().unwrap(),
    );
    let renamed = format!("{}.{body}.{signature}", mine.split('.').next().unwrap());
    assert_static_401(
        &ours.bearer(&renamed).get(PATH).await,
        "under our key's name",
    );
    // A key that the token brings along is nobody's.
    let jwk = theirs.anonymous().get("/.well-known/jwks.json").await.body["keys"][0].clone();
    let carried = changed(
        &part(&foreign, 0),
        &json!({"jwk": jwk, "jku": format!("{}/.well-known/jwks.json", theirs.stack.base_url())}),
    );
    assert_static_401(
        &ours
            .bearer(&format!("{}.{body}.{signature}", encoded(&carried)))
            .get(PATH)
            .await,
        "a key of its own",
    );
}
