//! The proof changes while calls go on: `latchkey proxy-secret`, and a Secrets Manager that does
//! not answer.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use super::*;

/// What the operator's command prints; on standard error, if it is refused.
async fn proxy_secret(behind: &Behind, command: &str) -> Result<Value, String> {
    let mut environment: BTreeMap<String, String> =
        behind.platform.stack.services().cloud().environment();
    environment.insert(
        "LATCHKEY_TRUSTED_PROXY_SECRET".into(),
        behind.secret.clone(),
    );
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_latchkey-process"))
        .args(["proxy-secret", command])
        .env_clear()
        .envs(&environment)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    let held = behind.held().await;
    for proof in held.as_object().unwrap().values() {
        let proof = proof.as_str().unwrap();
        assert!(
            !stdout.contains(proof) && !stderr.contains(proof),
            "a proof is never printed"
        );
    }
    if output.status.success() {
        Ok(serde_json::from_str(&stdout).unwrap())
    } else {
        Err(stderr)
    }
}

/// Current becomes previous, the proxy is given the new one, previous is dropped: no right request
/// is refused at any point.
#[tokio::test]
async fn a_rotation_refuses_no_right_request_and_ends_the_old_proof() {
    let behind = Behind::start().await;
    let (key, token) = behind.listed_key().await;
    let by = async |proof: &str| {
        doors(
            &behind.edge(),
            &key,
            &token,
            &[(PROOF_HEADER, proof), (ADDRESS_HEADER, LISTED)],
        )
        .await
    };
    let old = proof();
    assert_eq!(by(&old).await, admitted());
    assert_eq!(
        proxy_secret(&behind, "status").await.unwrap()["proofs"],
        json!(["current"])
    );

    let rotated = proxy_secret(&behind, "rotate").await.unwrap();
    assert_eq!(rotated["proofs"], json!(["current", "previous"]));
    assert!(
        rotated["version"]
            .as_str()
            .is_some_and(|version| version.len() >= 32),
        "{rotated}"
    );
    let held = behind.held().await;
    let new = held["current"].as_str().unwrap().to_owned();
    assert_eq!(
        (held["previous"].as_str(), new.len(), new == old),
        (Some(old.as_str()), 64, false)
    );
    // The proxy still sends the old one, and then the new one: some edges sooner, some later.
    assert_eq!(by(&old).await, admitted());
    behind.platform.advance(Duration::from_secs(6));
    for proof in [&new, &old, &new] {
        assert_eq!(by(proof).await, admitted());
    }
    // What this would drop, the proxy may still send.
    let refused = proxy_secret(&behind, "rotate").await.unwrap_err();
    assert!(refused.contains("not finished"), "{refused}");
    assert_eq!(by(&old).await, admitted());

    let finished = proxy_secret(&behind, "finish").await.unwrap();
    assert_eq!(finished["proofs"], json!(["current"]));
    assert_eq!(behind.held().await, json!({"current": new}));
    behind.platform.advance(Duration::from_mins(1));
    assert_eq!(by(&new).await, admitted());
    assert_eq!(by(&old).await, unknown());
    assert_eq!(
        proxy_secret(&behind, "finish").await.unwrap(),
        finished,
        "finished is finished"
    );
}

/// Guesses are answered alike, and change nothing for the proxy.
#[tokio::test]
async fn guesses_change_nothing_for_right_proofs() {
    let behind = Behind::start().await;
    let (key, token) = behind.listed_key().await;
    for guess in 0..20 {
        let guess = format!("{guess:048}");
        let wrong = [(PROOF_HEADER, guess.as_str()), (ADDRESS_HEADER, LISTED)];
        assert_eq!(doors(&behind.edge(), &key, &token, &wrong).await, unknown());
        let right = [(PROOF_HEADER, &*proof()), (ADDRESS_HEADER, LISTED)];
        assert_eq!(
            doors(&behind.edge(), &key, &token, &right).await,
            admitted()
        );
    }
}

/// A secret that cannot be read: who has a list is told to try again, who has none is let in, who
/// comes directly is evaluated as ever; once it can be read, all is well.
#[tokio::test]
async fn a_503_for_who_has_a_list_while_the_proof_cannot_be_read() {
    let missing = Behind::with(TEMPLATE, None).await;
    let broken = Behind::with(TEMPLATE, Some(&json!({"current": "too short"}))).await;
    for behind in [&missing, &broken] {
        let (key, token) = behind.listed_key().await;
        let proof = proof();
        let proven = [(PROOF_HEADER, proof.as_str()), (ADDRESS_HEADER, LISTED)];
        assert_eq!(
            doors(&behind.edge(), &key, &token, &proven).await,
            undetermined()
        );
        let free = behind.platform.bank_key(json!({})).await;
        let free_token = behind.platform.token(&free).await;
        assert_eq!(
            doors(&behind.edge(), &free, &free_token, &proven).await,
            admitted()
        );
        assert_eq!(
            doors(
                &behind.platform.anonymous().from(ALLOWED),
                &key,
                &token,
                &[]
            )
            .await,
            admitted()
        );
        assert_eq!(
            doors(&behind.edge(), &key, &token, &[(ADDRESS_HEADER, LISTED)]).await,
            not_allowed()
        );
    }
    let (key, token) = broken.listed_key().await;
    broken.put(&json!({"current": proof()})).await;
    broken.platform.advance(Duration::from_secs(6));
    let proven = [(PROOF_HEADER, &*proof()), (ADDRESS_HEADER, LISTED)];
    assert_eq!(
        doors(&broken.edge(), &key, &token, &proven).await,
        admitted()
    );
}
