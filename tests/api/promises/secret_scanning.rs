//! The published expression by which a secret scanner finds a deployment's secrets
//! (docs/requirements.md, Secret format).

use std::collections::BTreeMap;

use domain::gate::Kyb;
use local::services::Options;
use regex::Regex;
use runtime::Env;
use serde_json::json;
use tests::Platform;

use crate::credentials;

fn published(platform: &Platform) -> Regex {
    let brand = runtime::env::brand(&Env::from_map(
        platform.stack.services().variables("management"),
    ))
    .unwrap();
    Regex::new(&brand.pattern()).unwrap()
}

/// What the expression finds.
fn found<'a>(pattern: &Regex, text: &'a str) -> Vec<&'a str> {
    pattern
        .find_iter(text)
        .map(|found| found.as_str())
        .collect()
}

/// Wherever a secret leaks to it is found whole, and nothing that is one character off is.
#[tokio::test]
async fn the_published_expression_finds_every_secret_and_nothing_like_one() {
    let branded = Options {
        parameters: BTreeMap::from([("Brand".to_owned(), "acme".to_owned())]),
        ..Options::default()
    };
    let (platform, branded) = (Platform::start().await, Platform::with(branded).await);
    let (pattern, other) = (published(&platform), published(&branded));
    let body = json!({"name": "leaked", "bank_guid": platform.seed.bank.guid});
    let made = platform
        .organization()
        .await
        .post("/api/bank_applications", &body)
        .await;
    let of_bank = tests::platform::credentials(&made.body).client_secret;
    assert_eq!(
        found(&pattern, &made.text),
        [&of_bank],
        "in the answer that shows it"
    );
    let (_, live) = credentials::live_organization(&platform, Kyb::Approved).await;
    let of_brand = branded.bank_key(json!({})).await.client_secret;
    assert!(
        of_bank.starts_with("lk_test_")
            && live.client_secret.starts_with("lk_live_")
            && of_brand.starts_with("acme_test_")
    );
    for (pattern, stranger, secret) in [
        (&pattern, &other, &of_bank),
        (&pattern, &other, &live.client_secret),
        (&other, &pattern, &of_brand),
    ] {
        for (before, after) in [
            ("", ""),
            ("export LATCHKEY_SECRET=", "\n"),
            ("{\"client_secret\":\"", "\"}"),
            ("https://example.com/?key=", "&x=1"),
            ("curl -u 'id:", "' https://example.com"),
            ("- ", ". It was here."),
            ("(", ")-lk_test_short"),
        ] {
            let text = format!("{before}{secret}{after}");
            assert_eq!(
                found(pattern, &text),
                [secret],
                "exactly, in {before}…{after}"
            );
            assert!(found(stranger, &text).is_empty(), "another deployment's");
        }
        assert_eq!(
            found(pattern, &format!("{secret},{secret}")),
            [secret, secret]
        );
        for place in 0..secret.len() {
            let cut = format!("{}{}", &secret[..place], &secret[place + 1..]);
            assert!(
                found(pattern, &cut).is_empty(),
                "without its character {place}"
            );
        }
        for place in 0..=secret.len() {
            for more in ["0", "z", "A", "_"] {
                let longer = format!("{}{more}{}", &secret[..place], &secret[place..]);
                assert!(
                    found(pattern, &longer).is_empty(),
                    "with {more} before its character {place}"
                );
            }
        }
    }
}
