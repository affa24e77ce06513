//! The programs that `sam build` made, as Lambda runs them: each a process of its own over an
//! emulated Runtime API, with the environment that the template gives its function and with that
//! function's own access key, called with the events that the local gateway and the audit table's
//! stream make, and with those of `infra/events`. `.ci/run` builds them for this machine and names
//! the directory in `LATCHKEY_BOOTSTRAPS`.

#![expect(
    clippy::disallowed_methods,
    reason = "cold starts are measured in real time"
)]

mod deployed;

use std::{fs, path::PathBuf, process::Stdio, time::Instant};

use emulator::gateway::Invoke;
use serde_json::{Value, json};
use tests::{
    lambda::{FunctionProcess, Outcome},
    platform::{ALLOWED, ELSEWHERE, credentials},
    wait::TIMEOUT,
};
use tokio::process::Command;

use self::deployed::{Deployed, LAMBDA_INIT, environment, program};
use crate::five_second_bound::within;

const PATH: &str = "/v1/whoami";

/// CYB-4, CYB-7, CBM-4: the platform in processes of its own does what it does in one.
#[tokio::test]
#[ignore = "needs what `sam build` made"]
async fn every_function_answers_genuine_events() {
    let deployed = Deployed::start().await;
    let organization = deployed.bearer(&deployed.seed.organization.key).await;
    let made = json!({
        "name": "bootstraps",
        "bank_guid": deployed.seed.bank.guid,
        "ip_allowlist": [ALLOWED],
    });
    let answer = organization.post("/api/bank_applications", &made).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let key = credentials(&answer.body);
    let token = deployed.token(&key).await;
    let caller = deployed.anonymous().with_token(&token);

    let shown = caller.from(ALLOWED).get(PATH).await;
    assert_eq!(
        (shown.status, &shown.body["client_id"]),
        (200, &json!(key.client_id)),
        "{shown:?}"
    );
    caller
        .from(ELSEWHERE)
        .get(PATH)
        .await
        .assert_error(403, "ip_not_allowed");
    deployed
        .anonymous()
        .get(PATH)
        .await
        .assert_error(401, "authentication_failed");
    let person = deployed
        .anonymous()
        .with_token(&deployed.seed.users.owner.secret);
    assert_eq!(person.get("/api/users").await.status, 200);
    assert_eq!(
        deployed
            .anonymous()
            .get("/.well-known/jwks.json")
            .await
            .status,
        200
    );
    assert_eq!(
        deployed.anonymous().get("/api/openapi.json").await.status,
        200
    );

    assert_eq!(
        organization
            .post(&format!("/api/keys/{}/revoke", key.client_id), &json!({}))
            .await
            .status,
        200
    );
    within(
        "the revoke",
        async || caller.from(ALLOWED).get(PATH).await,
        |answer| answer.status == 401,
    )
    .await;

    deployed
        .functions
        .invoke("CompactorFunction", json!({}))
        .await
        .unwrap();
    deployed
        .functions
        .invoke("CanaryFunction", json!({}))
        .await
        .unwrap();
    let said = fs::read_to_string(deployed.directory.path().join("CanaryFunction")).unwrap();
    assert!(
        said.contains("\"SecondsToLastAdmission\":") && said.contains("\"CanaryFailed\":0"),
        "{said}"
    );

    deployed.audit.drain(TIMEOUT).await.unwrap();
    let asked = deployed.functions.asked.lock().unwrap().clone();
    for function in deployed.services.description().functions.keys() {
        assert!(
            asked.iter().any(|(name, _)| name == function),
            "nobody asked {function}"
        );
    }
    let organization = deployed.seed.organization.guid.parse().unwrap();
    let chain = deployed
        .services
        .store()
        .unwrap()
        .audit_chain(organization)
        .await
        .unwrap();
    assert!(chain.links.len() >= 2, "{} links", chain.links.len());
    assert_no_secret(&deployed, &[&token, &key.client_secret]);
}

/// X-7: the authorizer's program answers each shape of event that API Gateway sends, in that
/// shape's own form.
#[tokio::test]
#[ignore = "needs what `sam build` made"]
async fn the_authorizer_answers_every_shape_of_event() {
    let deployed = Deployed::start().await;
    let good = deployed.token(&deployed.seed.bank.key).await;
    let weak = {
        let form = json!({
            "grant_type": "client_credentials", "scope": "accounts:read",
            "client_id": deployed.seed.bank.key.client_id,
            "client_secret": deployed.seed.bank.key.client_secret,
        });
        deployed.anonymous().post("/oauth/token", &form).await.body["access_token"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let broken = format!("{}AAAAA", &good[..good.len() - 5]);
    for (shape, form) in [
        ("rest-request", "simple"),
        ("rest-token", "simple"),
        ("http-api", "simple"),
        ("http-api", "iam"),
        ("websocket-connect", "simple"),
    ] {
        let mut environment = environment(&deployed.services, "SampleAuthorizerFunction");
        environment.insert(
            "LATCHKEY_ROUTES".into(),
            r#"{"GET /v1/whoami": ["customers:read"], "$connect": ["customers:read"]}"#.into(),
        );
        environment.insert("LATCHKEY_HTTP_API_RESPONSE".into(), form.into());
        let log = fs::File::create(deployed.directory.path().join("shapes")).unwrap();
        let process =
            FunctionProcess::start_into(&program("SampleAuthorizerFunction"), &environment, log)
                .await;
        let decide = async |token: &str| {
            decision(
                process.invoke(event(shape, token)).await,
                shape == "http-api" && form == "simple",
            )
        };
        assert_eq!(
            decide(&good).await,
            format!("allow {}", deployed.seed.bank.key.client_id),
            "{shape} {form}"
        );
        assert_eq!(
            decide(&weak).await,
            "deny insufficient_scope",
            "{shape} {form}"
        );
        assert_eq!(decide(&broken).await, "Unauthorized", "{shape} {form}");
        let person = &deployed.seed.users.owner.secret;
        assert!(decide(person).await.starts_with("allow "), "{shape} {form}");
        let printed = fs::read_to_string(deployed.directory.path().join("shapes")).unwrap();
        assert!(
            [&good, &weak, &broken, person]
                .iter()
                .all(|secret| !printed.contains(*secret)),
            "{shape}: a secret is printed"
        );
    }
}

/// An event of `infra/events` with this token.
fn event(shape: &str, token: &str) -> Value {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../infra/events/{shape}.json"));
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains("Bearer TOKEN"));
    serde_json::from_str(&text.replace("Bearer TOKEN", &format!("Bearer {token}"))).unwrap()
}

/// `allow <client id>`, `deny <message code>`, or what was thrown.
fn decision(outcome: Outcome, simple: bool) -> String {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(thrown) => return thrown,
    };
    let allowed = if simple {
        answer["isAuthorized"].as_bool()
    } else {
        answer["policyDocument"]["Statement"][0]["Effect"]
            .as_str()
            .map(|effect| effect == "Allow")
    };
    match allowed {
        Some(true) => format!(
            "allow {}",
            answer["context"]["client_id"].as_str().unwrap_or_default()
        ),
        Some(false) => format!(
            "deny {}",
            answer["context"]["message_code"]
                .as_str()
                .unwrap_or_default()
        ),
        None => answer.to_string(),
    }
}

/// A setting that is missing or wrong ends the program before it asks for an event, with a sentence
/// that names the variable.
#[tokio::test]
#[ignore = "needs what `sam build` made"]
async fn a_bad_environment_ends_the_program_with_a_sentence() {
    let deployed = Deployed::start().await;
    let mut tried = 0;
    for function in deployed.services.description().functions.keys() {
        for (variable, wrong) in [
            ("LATCHKEY_CORE_TABLE", None),
            ("LATCHKEY_BRAND", Some("not a brand")),
            ("LATCHKEY_AUDIT_TABLE", None),
            ("LATCHKEY_CANARY_SECRET", None),
        ] {
            let mut environment = environment(&deployed.services, function);
            if environment.remove(variable).is_none() {
                continue;
            }
            environment.extend(wrong.map(|wrong| (variable.to_owned(), wrong.to_owned())));
            let ended = Command::new(program(function))
                .env_clear()
                .envs(&environment)
                .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .output();
            let ended = tokio::time::timeout(TIMEOUT, ended)
                .await
                .expect("it ends")
                .unwrap();
            let said = String::from_utf8_lossy(&ended.stdout).into_owned()
                + &String::from_utf8_lossy(&ended.stderr);
            assert!(
                !ended.status.success() && said.contains(variable),
                "{function} without {variable}: {said}"
            );
            assert!(!said.contains("panicked"), "{function}: {said}");
            tried += 1;
        }
    }
    assert!(tried >= 12, "{tried}");
}

/// From the start of the process to its first answer; every function is asked what it refuses
/// without a call, or answers at once.
#[tokio::test]
#[ignore = "needs what `sam build` made"]
async fn cold_starts_are_measured() {
    let deployed = Deployed::start().await;
    let asked = |function: &str| match function {
        "AuditFunction" => json!({"Records": []}),
        "CompactorFunction" => json!({}),
        name if name.ends_with("AuthorizerFunction") => event("rest-request", "nonsense"),
        name => {
            let paths = deployed.services.description().api.routes.iter();
            let path = &paths
                .filter(|route| route.function == name)
                .map(|route| &route.path)
                .next()
                .unwrap();
            event_of(path)
        }
    };
    // The canary's first answer is that of a whole round.
    for function in deployed
        .services
        .description()
        .functions
        .keys()
        .filter(|function| *function != "CanaryFunction")
    {
        let mut times = Vec::new();
        for _ in 0..9 {
            let log = fs::File::create(deployed.directory.path().join("cold")).unwrap();
            let environment = environment(&deployed.services, function);
            let began = Instant::now();
            let process = FunctionProcess::start_into(&program(function), &environment, log).await;
            drop(process.invoke(asked(function)).await);
            times.push(began.elapsed());
        }
        times.sort_unstable();
        println!(
            "cold start of {function}: {:.1} ms in the median of {}",
            times[4].as_secs_f64() * 1000.0,
            times.len()
        );
        // A measurement; what is asserted is only what Lambda itself ends.
        assert!(times[4] < LAMBDA_INIT, "{function}: {times:?}");
    }
}

/// A call of another method than the path has, which the function refuses by itself.
fn event_of(path: &str) -> Value {
    let mut event = event("rest-request", "nonsense");
    for member in ["resource", "path"] {
        event[member] = path.into();
    }
    event["httpMethod"] = "TRACE".into();
    event["requestContext"]["httpMethod"] = "TRACE".into();
    event["requestContext"]["resourcePath"] = path.into();
    event
}

/// Neither credentials nor access keys stand in anything that the functions print.
fn assert_no_secret(deployed: &Deployed, secrets: &[&str]) {
    let printed = deployed.printed();
    assert!(
        printed.contains("\"level\""),
        "nothing is logged: {printed}"
    );
    let seed = &deployed.seed;
    let seeded = [
        &seed.organization.key.client_secret,
        &seed.bank.key.client_secret,
        &seed.users.owner.secret,
    ];
    for secret in secrets.iter().copied().chain(seeded.map(String::as_str)) {
        assert!(!printed.contains(secret), "a secret is printed");
    }
    for function in deployed.services.description().functions.keys() {
        let held = &environment(&deployed.services, function)["AWS_SECRET_ACCESS_KEY"];
        assert!(
            !printed.contains(held.as_str()),
            "{function}: the access key is printed"
        );
    }
}
