//! Paths, methods, queries and headers that no operation takes.

use std::collections::BTreeMap;

use reqwest::Method;
use tests::{Answer, Platform};

use crate::{
    management_keys::seed_organization,
    organization_snapshot::{COLLECTIONS, appearance, organization_snapshot},
    promises::tenancy::Guarded,
};

#[tokio::test]
async fn not_found_when_no_route_has_the_path() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    let key = &platform.seed.bank.key.client_id;
    for path in [
        "/",
        "/api",
        "/api/nothing",
        "/API/banks",
        "/api/Banks",
        "/api//banks",
        "/api/banks/a/b",
        "/api/banks/a/",
        "/api%2Fbanks",
        "/api/banks%00",
        "/main/api/banks",
        &format!("/api/keys/{key}/nothing"),
        &format!("/api/keys/{key}/revoke/x"),
        "/api/keys//revoke",
        "/.well-known/openid-configuration",
        "/oauth/tokens",
        "/favicon.ico",
    ] {
        for caller in [&caller, &platform.anonymous()] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let answer = Answer::of(caller.request(method, path)).await;
                if path != "/api/banks/a/" || answer.status != 401 {
                    answer.assert_error(404, "not_found");
                }
            }
        }
    }
    for method in ["TRACE", "PROPFIND", "X"] {
        Answer::of(caller.request(method.parse().unwrap(), "/api/banks"))
            .await
            .assert_error(404, "not_found");
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

/// On every path of the template every method that is not there is a 405 that names those that are.
#[tokio::test]
async fn method_not_allowed_with_the_methods_that_are() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for route in &platform.stack.services().description().api.routes {
        paths.entry(&route.path).or_default().push(&route.method);
    }
    assert!(paths.len() >= 16, "{paths:?}");
    for (path, methods) in paths {
        let mut allowed: Vec<&str> = methods
            .into_iter()
            .filter(|method| *method != "ANY")
            .collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.sort_unstable();
        let concrete = path
            .replace("{guid}", &platform.seed.bank.guid)
            .replace("{client_id}", &platform.seed.bank.key.client_id);
        let concrete = concrete.replace("{file}", "start.js");
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
            .into_iter()
            .filter(|method| !allowed.contains(method))
        {
            for caller in [&caller, &platform.anonymous()] {
                let request = caller
                    .request(method.parse().unwrap(), &concrete)
                    .json(&serde_json::json!({"name": "n"}));
                let answer = Answer::of(request).await;
                assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
                let mut named: Vec<&str> =
                    answer.header("allow").split(',').map(str::trim).collect();
                named.sort_unstable();
                assert_eq!(named, allowed, "{method} {path}");
                if method == "HEAD" {
                    assert_eq!(answer.text, "");
                } else if path.starts_with("/oauth/") || path == "/v1/auth/token" {
                    answer.assert_oauth_error(405, "invalid_request");
                } else {
                    answer.assert_error(405, "method_not_allowed");
                }
            }
        }
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

#[tokio::test]
async fn unprocessable_when_a_query_parameter_is_unknown_repeated_or_out_of_range() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    for path in COLLECTIONS {
        for (query, field, words) in [
            ("page=-1", "page", "whole number from 0"),
            ("page=%2B1", "page", "whole number from 0"),
            ("page=1.0", "page", "whole number from 0"),
            ("page=1e1", "page", "whole number from 0"),
            ("page=", "page", "whole number from 0"),
            ("page", "page", "whole number from 0"),
            ("page=%20", "page", "whole number from 0"),
            ("page=+1", "page", "whole number from 0"),
            ("page=abc", "page", "whole number from 0"),
            ("page=%FF", "page", "whole number from 0"),
            ("page=%D9%A1", "page", "whole number from 0"),
            ("page=1000001", "page", "whole number from 0 to 1000000"),
            (
                "page=99999999999999999999999999",
                "page",
                "whole number from 0 to 1000000",
            ),
            ("per_page=0", "per_page", "whole number from 1 to 100"),
            ("per_page=101", "per_page", "whole number from 1 to 100"),
            ("per_page=-1", "per_page", "whole number from 1 to 100"),
            ("per_page=ten", "per_page", "whole number from 1 to 100"),
            ("page=0&per_page=", "per_page", "whole number from 1 to 100"),
            ("page=0&page=0", "page", "stands twice"),
            ("per_page=5&page=0&per_page=5", "per_page", "stands twice"),
            ("page=0%26per_page=7", "page", "whole number from 0"),
            ("colour=red", "colour", "is not a parameter that this takes"),
            ("Page=0", "Page", "is not a parameter that this takes"),
            ("page[]=0", "page[]", "is not a parameter that this takes"),
            (
                "page%00=0",
                "page\u{0}",
                "is not a parameter that this takes",
            ),
            ("limit=5&offset=0", "", ""),
            ("%FF=1", "\u{fffd}", "is not a parameter that this takes"),
            ("=1", "", ""),
        ] {
            let answer = caller.get(&format!("{path}?{query}")).await;
            answer.assert_error(422, "invalid_parameter");
            if !field.is_empty() {
                answer.assert_field(field, words);
            }
        }
        let long = caller.get(&format!("{path}?{}=1", "x".repeat(5000))).await;
        long.assert_error(422, "invalid_parameter");
        assert!(
            long.text.len() < 1000,
            "what is long is not sent back whole"
        );
        for fine in ["", "?", "?page=0", "?page=00", "?per_page=100&page=1000000"] {
            let answer = caller.get(&format!("{path}{fine}")).await;
            assert_eq!(answer.status, 200, "{fine}: {answer:?}");
        }
    }
}

/// What names nothing, however it is spelled, is the one 404.
#[tokio::test]
async fn not_found_when_the_id_is_none() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    let key = &platform.seed.bank.key.client_id;
    let (cut, longer, lossy) = (&key[1..], format!("{key}0"), format!("{key}%00"));
    let (upper, long) = (platform.seed.bank.guid.to_uppercase(), "x".repeat(4000));
    let slash = format!("%2F{}", platform.seed.bank.guid);
    let twice = format!("{key}%2F..%2F{key}");
    let (owner, staff) = (platform.owner(), platform.operations());
    for route in Guarded::all(&platform)
        .iter()
        .filter(|route| route.path.contains('{'))
    {
        let caller = match (route.is_for_machines(), route.is_for_owners()) {
            (true, _) => &caller,
            (false, true) => &owner,
            (false, false) => &staff,
        };
        let nothing = appearance(&route.call(caller, &"f".repeat(32), "").await);
        assert_eq!(nothing.0, 404);
        for id in [
            "x",
            cut,
            &longer,
            &lossy,
            &upper,
            &long,
            &slash,
            &twice,
            "%2F",
            "%2e%2e%2f",
            "%00",
            "%FF",
            "%C3%28",
            "%",
            "%zz",
            "%20",
            "\u{e9}",
            "*",
            "null",
            "undefined",
            "-1",
            "'%20or%20'1'='1",
            "%22%3E%3Cscript%3E",
            "{guid}",
            "K%23x",
            "zzzzzzzzzzzzzzzzzzzzzz",
            "+0000000000000000000000000000000",
            "%5C",
            "a;b",
            "a:b",
            "a@b",
            "%E2%80%AE",
            "$default",
            "..%5c..",
        ] {
            let answer = route.call(caller, id, "").await;
            assert_eq!(
                appearance(&answer),
                nothing,
                "{} {} {id:.80}",
                route.method,
                route.path
            );
        }
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

/// A header that a gateway or function might stumble over.
#[tokio::test]
async fn every_refusal_is_a_4xx_with_the_error_members_whatever_the_headers_say() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for (name, value) in [
        ("x-http-method-override", "DELETE"),
        ("x-http-method-override", "NONSENSE"),
        ("content-encoding", "gzip"),
        ("transfer-encoding", "chunked"),
        ("accept", "text/html"),
        ("accept", ""),
        ("x-forwarded-for", "8.8.8.8, nonsense"),
        ("x-forwarded-proto", "gopher"),
        ("x-amzn-trace-id", "Root=nonsense;;"),
        ("content-type", "\u{7f}"),
        ("cookie", "a=b; ;=;"),
        ("host", "["),
        ("host", "a b"),
        ("host", "example.com/api/organizations?x#y"),
        ("host", "%%:99999999"),
    ] {
        let Ok(value) = reqwest::header::HeaderValue::from_str(value) else {
            continue;
        };
        let request = caller
            .request(Method::POST, "/api/bank_applications")
            .header(name, value);
        let answer = Answer::of(request.body("{\"name\":7}")).await;
        assert!((400..500).contains(&answer.status), "{name}: {answer:?}");
        let code = answer.body["message_code"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        answer.assert_error(answer.status, &code);
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}
