//! What is wrong as anybody sees it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use domain::time::Timestamp;
use http::HeaderValue;
use serde_json::json;
use tests::proxy::Fault;

use super::{Case, Patient, Seen, all_wrong, wrong};

const GATEWAY: Seen = Seen::Gateway;

const ROUTES: &[Case] = &[
    Case {
        check: "outside.guarded_routes",
        words: "PATCH /api/keys/{client_id} answers 200, not 401",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.method == "PATCH" && asked.path.starts_with("/api/keys/") {
                answered.status = 200;
            }
        },
    },
    Case {
        check: "outside.guarded_routes",
        words: "GET /api/users answers 401 with another body",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.is("GET /api/users") {
                answered.say(401, &json!({"message": "Unauthorized"}));
            }
        },
    },
    Case {
        check: "outside.guarded_routes",
        words: "GET /api/banks answers 401 without WWW-Authenticate",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.is("GET /api/banks") {
                answered.headers.remove("www-authenticate");
            }
        },
    },
    Case {
        check: "outside.public_routes",
        words: "GET /api/openapi.json answers 503",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.is("GET /api/openapi.json") {
                answered.status = 503;
            }
        },
    },
    Case {
        check: "outside.other_methods",
        words: "answers 405 without POST in Allow",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.path == "/oauth/revoke" && answered.status == 405 {
                answered.headers.remove("allow");
            }
        },
    },
    Case {
        check: "outside.other_methods",
        words: "/api/incidents/revoke answers 404, not 405",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.path == "/api/incidents/revoke" && answered.status == 405 {
                answered.status = 404;
            }
        },
    },
    Case {
        check: "outside.unmatched_path",
        words: "answers 403, not 404",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.path.ends_with("no-such-path") {
                answered.say(403, &json!({"message": "Missing Authentication Token"}));
            }
        },
    },
    Case {
        check: "outside.unmatched_path",
        words: "another body",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.path.ends_with("no-such-path") {
                answered.say(404, &json!({"message": "no"}));
            }
        },
    },
    Case {
        check: "outside.no_store",
        words: "POST /oauth/token",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.is("POST /oauth/token") {
                answered
                    .headers
                    .insert("cache-control", HeaderValue::from_static("private"));
            }
        },
    },
];

#[tokio::test]
async fn routes_that_answer_otherwise_are_named() {
    Patient::admit().await.suffers(ROUTES).await;
}

const KEYS_AND_CREDENTIALS: &[Case] = &[
    Case {
        check: "outside.issuer",
        words: "the tokens' issuer is \"https://elsewhere.example\"",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.path.ends_with("oauth-authorization-server") {
                answered.set("/issuer", "https://elsewhere.example".into());
            }
        },
    },
    Case {
        check: "outside.issuer",
        words: "jwks_uri",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.path.ends_with("oauth-authorization-server") {
                answered.set("/jwks_uri", "https://elsewhere.example/jwks".into());
            }
        },
    },
    Case {
        check: "outside.jwks",
        words: "kid is not its thumbprint",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.path.ends_with("jwks.json") {
                answered.set("/keys/0/kid", "another".into());
            }
        },
    },
    Case {
        check: "outside.jwks",
        words: "not on the curve",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.path.ends_with("jwks.json") {
                let x = answered.json()["keys"][1]["y"].clone();
                answered.set("/keys/1/x", x);
            }
        },
    },
    Case {
        check: "outside.jwks",
        words: "is all that is published",
        // Live keys come last: the sandbox token is still signed by a published one.
        also: &["keys.published"],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.path.ends_with("jwks.json") {
                let first = answered.json()["keys"][0].clone();
                answered.set("/keys", json!([first]));
            }
        },
    },
    Case {
        check: "credential.token",
        words: "no token: 401 invalid_client",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.is("POST /oauth/token") {
                answered.say(
                    401,
                    &json!({"error": "invalid_client", "error_description": "No"}),
                );
            }
        },
    },
    Case {
        check: "credential.token",
        words: "which is not published",
        also: &["credential.whoami", "credential.denial"],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.is("POST /oauth/token") && answered.status == 200 {
                // {"alg":"ES256","kid":"k"}
                answered.set(
                    "/access_token",
                    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.e30.AA".into(),
                );
            }
        },
    },
    Case {
        check: "credential.whoami",
        words: "403 forbidden",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.is("GET /v1/whoami") && answered.status == 200 {
                answered.say(
                    403,
                    &json!({"message_code": "forbidden", "message": "Not this kind"}),
                );
            }
        },
    },
    Case {
        check: "credential.denial",
        words: "answers 403 without a message_code",
        also: &[],
        at: GATEWAY,
        change: |asked, answered| {
            if asked.path.ends_with("/kyb") && answered.status == 403 {
                answered.say(
                    403,
                    &json!({"Message": "User is not authorized to access this resource"}),
                );
            }
        },
    },
];

#[tokio::test]
async fn keys_issuers_and_credentials_that_are_wrong_are_named() {
    Patient::admit().await.suffers(KEYS_AND_CREDENTIALS).await;
}

#[tokio::test]
async fn a_clock_that_is_off_is_named() {
    let patient = Patient::admit().await;
    // Both clocks stand, so that what lies between them is exact. The server's is cut to the
    // second, in favour of ours.
    let seconds = runtime::ambient::system_clock()().seconds();
    let date = DateTime::from_secs(seconds)
        .fmt(DateTimeFormat::HttpDate)
        .unwrap();
    patient.gateway.set(Fault::rewrite(move |_, answered| {
        _ = answered.headers.insert("date", date.parse().unwrap());
    }));
    for (ours, words) in [
        (seconds + 31, " 30 s ahead of"),
        (seconds - 30, " 30 s behind"),
    ] {
        let ambient = patient.edge_at(Arc::new(move || Timestamp::from_seconds(ours)));
        let report = patient
            .examine_as(patient.env(), &ambient, patient.gateway.url())
            .await;
        let what = wrong(&report, "outside.clock").unwrap_or_else(|| panic!("{report}"));
        assert!(what.contains(words), "{what}");
        assert_eq!(all_wrong(&report), ["outside.clock"].into(), "{report}");
    }
}

/// A server that is not there, or speaks no TLS where it must.
#[tokio::test]
async fn a_server_that_does_not_answer_is_named_and_the_rest_is_unknown() {
    let patient = Patient::admit().await;
    let over_tls = patient.gateway.url().replace("http://", "https://");
    for url in ["http://127.0.0.1:1", &over_tls] {
        let report = patient
            .examine_as(patient.env(), &patient.ambient(), url)
            .await;
        assert_eq!(all_wrong(&report), ["outside.reachable"].into(), "{report}");
        assert!(
            report
                .to_string()
                .contains("outside.jwks: unknown: no answer from"),
            "{report}"
        );
    }
}

#[tokio::test]
async fn an_authorizer_that_cannot_decide_is_named() {
    let (check, words) = ("outside.broken_token", "answers 503, not 401");
    let patient = Patient::admit().await;
    let calls = AtomicUsize::new(0);
    patient.gateway.set(Fault::rewrite(move |asked, answered| {
        // First without a credential, then with one that is none.
        if asked.is("GET /api/keys") && calls.fetch_add(1, Ordering::SeqCst) == 1 {
            answered.status = 503;
        }
    }));
    let report = patient.examine().await;
    let what = wrong(&report, check).unwrap_or_else(|| panic!("{report}"));
    assert!(what.contains(words), "{what}");
    assert_eq!(all_wrong(&report), [check].into(), "{report}");
}
