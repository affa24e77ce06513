//! The allowlists of keys: what may be on one (CYB-5), and that no token widens its own (CYB-11).

use serde_json::json;
use tests::Platform;

use super::Family;
use crate::{
    management_keys::seed_organization,
    organization_snapshot::{organization_snapshot, without},
};

/// Every class of CYB-5 with the words that its refusal must have.
const BAD_ENTRIES: [(&str, &str); 43] = [
    ("2001:db8::1", "IPv6"),
    ("2606:4700:4700::1111", "IPv6"),
    ("::ffff:8.8.8.8", "IPv6"),
    ("2600::/16", "IPv6"),
    ("10.1.2.3", "10.0.0.0/8 is private"),
    ("172.16.0.0/12", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.0/24", "private"),
    ("127.0.0.1", "loopback"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.169.254", "link-local"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("0.0.0.0", "reserved"),
    ("192.0.0.8", "reserved"),
    ("192.88.99.1", "reserved"),
    ("100.64.0.1", "CGNAT"),
    ("100.127.255.255", "CGNAT"),
    ("192.0.2.1", "documentation"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.5", "documentation"),
    ("233.252.0.1", "documentation"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("0.0.0.0/0", "overlaps"),
    ("8.0.0.0/5", "overlaps 10.0.0.0/8"),
    ("128.0.0.0/1", "overlaps"),
    ("192.0.0.0/8", "overlaps"),
    (
        "8.8.8.8/24",
        "host bits set; the range is written 8.8.8.0/24",
    ),
    (
        "8.8.8.1/31",
        "host bits set; the range is written 8.8.8.0/31",
    ),
    ("08.8.8.8", "leading zeros"),
    ("8.8.8.0/024", "leading zeros"),
    (" 8.8.8.8", "white space"),
    ("8.8.8.8\n", "white space"),
    ("8.8. 8.8", "white space"),
    ("", "not an IPv4"),
    ("8.8.8", "not an IPv4"),
    ("8.8.8.8/33", "not an IPv4"),
    ("134744072", "not an IPv4"),
    ("example.com", "not an IPv4"),
    ("*", "not an IPv4"),
];

#[tokio::test]
async fn cyb_5_422_names_entry_and_reason_and_changes_nothing() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    for family in Family::both(&platform) {
        let key = family
            .create(
                &caller,
                json!({"name": "kept", "ip_allowlist": ["8.8.8.8"]}),
            )
            .await;
        let item = family.item(&key);
        let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
        for (entry, words) in BAD_ENTRIES {
            let list = json!({"name": "changed", "ip_allowlist": ["1.1.1.1", entry]});
            for answer in [
                family.post(&caller, list.clone()).await,
                caller.patch(&item, &list).await,
            ] {
                answer.assert_field("ip_allowlist[1]", words);
                answer.assert_field("ip_allowlist[1]", &format!("'{}'", entry.escape_debug()));
            }
        }
        for (list, refused) in [
            (
                json!(["8.8.8.8", "1.1.1.1", "9.9.9.9", "4.4.4.4"]),
                vec![("ip_allowlist", "at most 3")],
            ),
            (
                json!(["8.8.8.8", "8.8.8.8"]),
                vec![("ip_allowlist[1]", "duplicate")],
            ),
            (
                json!(["8.8.8.8", "1.1.1.1", "8.8.8.8/32"]),
                vec![("ip_allowlist[2]", "'8.8.8.8/32' is a duplicate")],
            ),
            (
                json!(["10.0.0.1", "8.8.8.8", "::1"]),
                vec![
                    ("ip_allowlist[0]", "'10.0.0.1'"),
                    ("ip_allowlist[2]", "'::1'"),
                ],
            ),
            (
                json!(["8.8.8.8", 7]),
                vec![("ip_allowlist[1]", "must be a string")],
            ),
            (
                json!(["8.8.8.8", null]),
                vec![("ip_allowlist[1]", "must be a string")],
            ),
            (json!("8.8.8.8"), vec![("ip_allowlist", "must be")]),
            (json!({"0": "8.8.8.8"}), vec![("ip_allowlist", "must be")]),
        ] {
            let body = json!({"name": "changed", "ip_allowlist": list});
            for answer in [
                family.post(&caller, body.clone()).await,
                caller.patch(&item, &body).await,
            ] {
                for (field, words) in &refused {
                    answer.assert_field(field, words);
                }
                assert_eq!(
                    answer.body["errors"].as_array().unwrap().len(),
                    refused.len(),
                    "{answer:?}"
                );
            }
        }
        assert_eq!(caller.get(&item).await.body, without(&key, &["secret"]));
        assert_eq!(
            organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
            before
        );
    }
}

/// Three entries, and the edges of what is public.
#[tokio::test]
async fn cyb_5_201_for_public_addresses_and_ranges() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    for family in Family::both(&platform) {
        for list in [
            json!(["8.8.8.8", "1.1.1.0/24", "9.9.9.9/32"]),
            json!(["9.255.255.255", "11.0.0.0/8", "172.15.255.255"]),
            json!(["172.32.0.0/11", "100.128.0.0/9", "223.255.255.255"]),
            json!(["192.167.255.255", "192.169.0.0/16", "198.20.0.0/14"]),
        ] {
            let key = family
                .create(&caller, json!({"name": "public", "ip_allowlist": list}))
                .await;
            assert_eq!(key["ip_allowlist"], list, "as it was given");
            assert_eq!(
                caller.get(&family.item(&key)).await.body["ip_allowlist"],
                list
            );
        }
    }
}

/// A token that carries an allowlist makes and edits keys only within it
/// (docs/requirements.md, Roles); the list is that of the token, not that of the key now (CYB-6).
#[tokio::test]
async fn cyb_11_403_for_a_list_wider_than_the_tokens_own() {
    let platform = Platform::start().await;
    let free = platform.organization().await;
    let own = format!(
        "/api/organization_applications/{}",
        platform.seed.organization.key.client_id
    );
    let answer = free
        .patch(
            &own,
            &json!({"ip_allowlist": ["8.8.8.0/25", "8.8.8.128/25", "1.1.1.1"]}),
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let here = platform.anonymous().from("8.8.8.8");
    let token = platform
        .request_token(&platform.seed.organization.key, here)
        .await;
    let bound = platform
        .bearer(token.body["access_token"].as_str().unwrap())
        .from("8.8.8.8");
    for family in Family::both(&platform) {
        let key = family
            .create(
                &bound,
                json!({"name": "within", "ip_allowlist": ["8.8.8.0/24", "1.1.1.1/32"]}),
            )
            .await;
        let item = family.item(&key);
        let narrowed = bound
            .patch(&item, &json!({"ip_allowlist": ["8.8.8.8"]}))
            .await;
        assert_eq!(narrowed.status, 200, "{narrowed:?}");
        let before = organization_snapshot(&platform, &free, seed_organization(&platform)).await;
        for list in [
            json!([]),
            json!(["8.8.8.0/23"]),
            json!(["9.9.9.9"]),
            json!(["8.8.8.8", "9.9.9.9"]),
        ] {
            let body = json!({"name": "wider", "ip_allowlist": list});
            for answer in [
                family.post(&bound, body.clone()).await,
                bound.patch(&item, &body).await,
            ] {
                answer.assert_error(403, "forbidden");
                assert!(answer.text.contains("allowlist"), "{answer:?}");
            }
        }
        family
            .post(&bound, json!({"name": "wider"}))
            .await
            .assert_error(403, "forbidden");
        family
            .post(&bound, json!({"name": "wider", "ip_allowlist": null}))
            .await
            .assert_error(403, "forbidden");
        assert_eq!(
            organization_snapshot(&platform, &free, seed_organization(&platform)).await,
            before
        );
        assert_eq!(
            bound.patch(&item, &json!({"name": "renamed"})).await.status,
            200,
            "a name widens nothing"
        );
        // The token from before the edit carries no list.
        family.create(&free, json!({"name": "free"})).await;
        assert_eq!(
            free.patch(&item, &json!({"ip_allowlist": []})).await.status,
            200
        );
        assert_eq!(
            bound
                .patch(&item, &json!({"name": "renamed again"}))
                .await
                .status,
            200
        );
    }
}
