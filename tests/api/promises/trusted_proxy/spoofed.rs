//! Whoever says where they come from without being the proxy, at every door.

use local::stack::Stack;
use tests::platform::ELSEWHERE;

use super::*;
use crate::people::events;

/// Every header that some software somewhere believes.
const OTHERS: [&str; 9] = [
    "X-Forwarded-For",
    "Forwarded",
    "X-Real-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Client-IP",
    "X-Source-Ip",
    "X-Original-Forwarded-For",
    "Fastly-Client-IP",
];

/// CYB-7: without the setting no header is read, the proxy's own included.
#[tokio::test]
async fn cyb_7_no_header_is_read_unless_a_proxy_is_configured() {
    let platform = Platform::start().await;
    let key = platform.bank_key(json!({"ip_allowlist": [ALLOWED]})).await;
    let allowed = platform.anonymous().from(ALLOWED);
    let token = platform.request_token(&key, allowed.clone()).await.body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let proof = proof();
    let mut all: Vec<(&str, &str)> = vec![(PROOF_HEADER, &proof), (ADDRESS_HEADER, LISTED)];
    all.extend(OTHERS.map(|name| (name, ALLOWED)));
    assert_eq!(
        doors(&platform.anonymous().from(ELSEWHERE), &key, &token, &all).await,
        not_allowed()
    );
    for one in &all {
        assert_eq!(
            doors(&platform.anonymous().from(ELSEWHERE), &key, &token, &[*one]).await,
            not_allowed(),
            "{}",
            one.0
        );
    }
    // Nor do they spoil a call that is where it says.
    let elsewhere: Vec<(&str, &str)> = all.iter().map(|(name, _)| (*name, UNLISTED)).collect();
    assert_eq!(doors(&allowed, &key, &token, &elsewhere).await, admitted());
}

/// The proxy's word counts where it proves itself, and is its alone: neither the edge nor a list of
/// forwarders is asked.
#[tokio::test]
async fn the_proxys_header_is_the_address_where_the_proxy_proves_itself() {
    let behind = Behind::start().await;
    let (key, token) = behind.listed_key().await;
    let (edge, proof) = (behind.edge(), proof());
    for (address, expected) in [
        (LISTED, admitted()),
        ("8.8.8.8:1", admitted()),
        ("[::ffff:8.8.8.8]:46532", admitted()),
        ("::ffff:8.8.8.8:46532", admitted()),
        (UNLISTED, not_allowed()),
        ("2001:4860:4860::8888:46532", not_allowed()),
        ("[2001:4860:4860::8888]:46532", not_allowed()),
        ("[::8.8.8.8]:46532", not_allowed()),
        ("[64:ff9b::808:808]:46532", not_allowed()),
        ("130.176.0.1:46532", not_allowed()),
    ] {
        let headers = [(PROOF_HEADER, proof.as_str()), (ADDRESS_HEADER, address)];
        assert_eq!(
            doors(&edge, &key, &token, &headers).await,
            expected,
            "{address}"
        );
        let mut spoofed = headers.to_vec();
        spoofed.extend(OTHERS.map(|name| (name, ALLOWED)));
        assert_eq!(
            doors(&edge, &key, &token, &spoofed).await,
            expected,
            "{address}, and others' headers"
        );
    }
    // In any case of letters.
    for (proof_header, address_header) in [
        ("x-latchkey-proxy", "cloudfront-viewer-address"),
        ("X-LATCHKEY-PROXY", "CLOUDFRONT-VIEWER-ADDRESS"),
    ] {
        let headers = [(proof_header, proof.as_str()), (address_header, LISTED)];
        assert_eq!(doors(&edge, &key, &token, &headers).await, admitted());
    }
}

/// Who comes directly is evaluated by the gateway's word, whatever they say.
#[tokio::test]
async fn without_a_proof_the_true_peer_is_judged() {
    let behind = Behind::start().await;
    let (key, token) = behind.listed_key().await;
    let (elsewhere, allowed) = (
        behind.platform.anonymous().from(ELSEWHERE),
        behind.platform.anonymous().from(ALLOWED),
    );
    let proof = proof();
    for header in [
        (ADDRESS_HEADER, LISTED),
        (ADDRESS_HEADER, ALLOWED),
        ("X-Latchkey-Proxy-2", &proof),
        ("X_Latchkey_Proxy", &proof),
        ("X-Forwarded-For", ALLOWED),
        ("Forwarded", "for=8.8.8.8"),
    ] {
        assert_eq!(
            doors(
                &elsewhere,
                &key,
                &token,
                &[header, (ADDRESS_HEADER, LISTED)]
            )
            .await,
            not_allowed(),
            "{}",
            header.0
        );
        assert_eq!(
            doors(
                &allowed,
                &key,
                &token,
                &[header, (ADDRESS_HEADER, UNLISTED)]
            )
            .await,
            admitted(),
            "{}",
            header.0
        );
    }
    assert_eq!(doors(&allowed, &key, &token, &[]).await, admitted());
    // An edge that forgot its proof is a peer like another.
    assert_eq!(
        doors(&behind.edge(), &key, &token, &[(ADDRESS_HEADER, LISTED)]).await,
        not_allowed()
    );
}

/// A proof that is wrong or repeated makes the address unknown, even of a peer that is on the list.
#[tokio::test]
async fn a_403_ip_unknown_for_a_wrong_or_repeated_proof() {
    let behind = Behind::start().await;
    let (key, token) = behind.listed_key().await;
    let (good, address) = (proof(), (ADDRESS_HEADER, LISTED));
    let joined = format!("{good},{good}");
    let guesses = [
        "",
        "x",
        &good[1..],
        &good[..good.len() - 1],
        &good.to_uppercase(),
        &joined,
        &"x".repeat(good.len()),
    ];
    for from in [EDGE, ALLOWED] {
        let from = behind.platform.anonymous().from(from);
        for wrong in guesses {
            assert_eq!(
                doors(&from, &key, &token, &[(PROOF_HEADER, wrong), address]).await,
                unknown(),
                "{wrong:?}"
            );
        }
        for (first, second) in [(good.as_str(), good.as_str()), ("x", &good), (&good, "x")] {
            for name in [PROOF_HEADER, "x-latchkey-proxy"] {
                let headers = [(PROOF_HEADER, first), (name, second), address];
                assert_eq!(
                    doors(&from, &key, &token, &headers).await,
                    unknown(),
                    "{first} and {second}"
                );
            }
        }
    }
}

/// A proxy that proves itself and names no one address leaves it unknown.
#[tokio::test]
async fn a_403_ip_unknown_for_an_address_that_is_none() {
    let behind = Behind::start().await;
    let (key, token) = behind.listed_key().await;
    let (edge, proof) = (behind.edge(), proof());
    let proven = (PROOF_HEADER, proof.as_str());
    for address in [
        "",
        ALLOWED,
        "8.8.8.8:",
        "8.8.8.8:0",
        "8.8.8.8:65536",
        "8.8.8.8:46532:1",
        "1.2.3.4:5:6",
        "8.8.8.8:46532,9.9.9.9:1",
        "8.8.8.8:46532, 9.9.9.9:1",
        "9.9.9.9, 8.8.8.8:46532",
        "8.8.8.8 :46532",
        "[8.8.8.8]:46532",
        "008.8.8.8:46532",
        "::ffff:808:808:53",
        "[::ffff:8.8.8.8",
        "for=8.8.8.8:46532",
    ] {
        assert_eq!(
            doors(&edge, &key, &token, &[proven, (ADDRESS_HEADER, address)]).await,
            unknown(),
            "{address:?}"
        );
    }
    for repeated in [[LISTED, LISTED], [UNLISTED, LISTED], [LISTED, UNLISTED]] {
        let headers = [
            proven,
            (ADDRESS_HEADER, repeated[0]),
            ("cloudfront-viewer-address", repeated[1]),
        ];
        assert_eq!(
            doors(&edge, &key, &token, &headers).await,
            unknown(),
            "{repeated:?}"
        );
    }
    assert_eq!(doors(&edge, &key, &token, &[proven]).await, unknown());
    assert_eq!(
        doors(&edge, &key, &token, &[proven, ("X-Forwarded-For", ALLOWED)]).await,
        unknown()
    );
}

/// Who has no list needs no address.
#[tokio::test]
async fn a_key_without_a_list_works_whatever_the_address() {
    let behind = Behind::start().await;
    let (key, proof) = (behind.platform.bank_key(json!({})).await, proof());
    let token = behind.platform.token(&key).await;
    for headers in [
        &[(PROOF_HEADER, "wrong")][..],
        &[(PROOF_HEADER, proof.as_str())],
        &[(PROOF_HEADER, proof.as_str()), (ADDRESS_HEADER, "nonsense")],
        &[(PROOF_HEADER, proof.as_str()), (ADDRESS_HEADER, UNLISTED)],
    ] {
        assert_eq!(
            doors(&behind.edge(), &key, &token, headers).await,
            admitted(),
            "{headers:?}"
        );
    }
}

/// The audit trail has the resolved address, nothing where it is unknown, and never the port or the
/// proof.
#[tokio::test]
async fn the_audit_trail_has_the_judged_address() {
    let behind = Behind::start().await;
    let platform = &behind.platform;
    let (organization, proof) = (platform.organization().await, proof());
    let path = format!("/api/banks/{}", platform.seed.bank.guid);
    let guid = platform.seed.organization.guid.parse().unwrap();
    let before = events(platform, guid, "bank.update").await.len();
    for (name, headers) in [
        (
            "proxied",
            &[
                (PROOF_HEADER, proof.as_str()),
                (ADDRESS_HEADER, "9.9.9.9:46532"),
            ][..],
        ),
        (
            "proxied by IPv6",
            &[
                (PROOF_HEADER, proof.as_str()),
                (ADDRESS_HEADER, "2001:db8::7:46532"),
            ],
        ),
        ("direct", &[(ADDRESS_HEADER, "9.9.9.9:46532")]),
        (
            "unproven",
            &[(PROOF_HEADER, "wrong"), (ADDRESS_HEADER, "9.9.9.9:46532")],
        ),
    ] {
        let request = organization
            .from(EDGE)
            .request(Method::PATCH, &path)
            .json(&json!({"name": name}));
        let answer = Answer::of(headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        }))
        .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let events = events(platform, guid, "bank.update").await;
    let addresses: Vec<&Value> = events[before..]
        .iter()
        .map(|event| &event["source_ip"])
        .collect();
    assert_eq!(
        addresses,
        [
            &json!("9.9.9.9"),
            &json!("2001:db8::7"),
            &json!(EDGE),
            &Value::Null
        ]
    );
    let text = serde_json::to_string(&events).unwrap();
    assert!(
        !text.contains("46532") && !text.contains(&proof) && !text.contains("wrong"),
        "{text}"
    );
}

/// A header without a proof would let anybody say where they come from: the stack refuses to start.
#[tokio::test]
async fn a_half_configured_proxy_stops_the_start_and_is_named() {
    let arn = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:proxy-AbCdEf";
    for (values, named) in [
        ([ADDRESS_HEADER, "", ""], "TrustedProxy"),
        ([ADDRESS_HEADER, PROOF_HEADER, ""], "TrustedProxy"),
        (["", PROOF_HEADER, arn], "TrustedProxy"),
        ([ADDRESS_HEADER, "", arn], "TrustedProxy"),
        (
            ["X-Forwarded-For", PROOF_HEADER, arn],
            "LATCHKEY_TRUSTED_PROXY_ADDRESS_HEADER",
        ),
        (
            [ADDRESS_HEADER, ADDRESS_HEADER, arn],
            "LATCHKEY_TRUSTED_PROXY_PROOF_HEADER",
        ),
        (
            [ADDRESS_HEADER, "Cookie", arn],
            "LATCHKEY_TRUSTED_PROXY_PROOF_HEADER",
        ),
        (["a header", PROOF_HEADER, arn], "TrustedProxyAddressHeader"),
        (
            [ADDRESS_HEADER, PROOF_HEADER, "proxy"],
            "TrustedProxySecretArn",
        ),
    ] {
        let options = Options {
            parameters: parameters(&values),
            ..Options::default()
        };
        let error = Stack::start(options).await.expect_err(named).to_string();
        assert!(
            error.contains(named) && !error.contains('\n'),
            "{values:?}: {error}"
        );
    }
}
