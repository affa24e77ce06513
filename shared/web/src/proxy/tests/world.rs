//! A proxy over a Secrets Manager of the test's own, which counts how often it is asked.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::post};
use domain::time::Timestamp;
use runtime::Entropy;
use serde_json::{Value, json};

use crate::proxy::{
    ADDRESS_HEADER, Ambient, Env, PROOF_HEADER, SECRET, SourceIpTrust, TrustedProxy,
};

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:proxy-AbCdEf";
pub(super) const PEER: &str = "130.176.0.1";
pub(super) const VIEWER: &str = "8.8.8.8:46532";

pub(super) fn proof(byte: char) -> String {
    byte.to_string().repeat(40)
}

pub(super) struct World {
    pub(super) proxy: TrustedProxy,
    /// What the secret holds; nothing when it cannot be read.
    secret: Arc<Mutex<Option<Value>>>,
    reads: Arc<AtomicUsize>,
    pub(super) ahead: Arc<AtomicI64>,
}

impl World {
    pub(super) async fn new(secret: Option<Value>) -> Self {
        let (secret, reads, ahead) = (
            Arc::new(Mutex::new(secret)),
            Arc::default(),
            Arc::new(AtomicI64::new(1_900_000_000_000)),
        );
        let (held, counted, now): (_, Arc<AtomicUsize>, _) =
            (Arc::clone(&secret), Arc::clone(&reads), Arc::clone(&ahead));
        let answer = async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let held = held.lock().unwrap();
            let readable = held.as_ref().map(|value| {
                Json(json!({"ARN": ARN, "SecretString": value.to_string()})).into_response()
            });
            let refused = || {
                (
                    StatusCode::BAD_REQUEST,
                    Json(json!({"__type": "AccessDeniedException"})),
                )
                    .into_response()
            };
            readable.unwrap_or_else(refused)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(
            async move { axum::serve(listener, Router::new().route("/", post(answer))).await },
        );
        let aws = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "a", "b", None, None, "test",
            )))
            .endpoint_url(format!("http://{address}"))
            .build();
        let clock: domain::time::Clock =
            Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
        let ambient = Ambient {
            clock,
            entropy: Entropy::from_fn(|bytes| bytes.fill(1)),
            aws,
        };
        let proxy = TrustedProxy::read(&env(&[]), &ambient).unwrap().unwrap();
        Self {
            proxy,
            secret,
            reads,
            ahead,
        }
    }

    /// Whose secret has one proof, and has been read.
    pub(super) async fn warm() -> Self {
        let world = Self::new(Some(json!({"current": proof('a')}))).await;
        world.proxy.warm().await;
        assert_eq!(world.reads(), 1);
        world
    }

    pub(super) fn hold(&self, secret: Option<Value>) {
        *self.secret.lock().unwrap() = secret;
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    pub(super) fn advance(&self, by: Duration) {
        self.ahead
            .fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(super) async fn evaluate(&self, mut event: Value) -> (SourceIpTrust, Value) {
        let source_ip_trust = self.proxy.resolve_source_ip(&mut event).await;
        (source_ip_trust, event)
    }

    pub(super) async fn by_proof(&self, proof: &str) -> SourceIpTrust {
        self.evaluate(event(&[
            ("X-Proof", proof),
            ("CloudFront-Viewer-Address", VIEWER),
        ]))
        .await
        .0
    }
}

pub(super) fn env(changes: &[(&str, &str)]) -> Env {
    let mut variables = BTreeMap::from([
        (ADDRESS_HEADER, "CloudFront-Viewer-Address"),
        (PROOF_HEADER, "X-Proof"),
        (SECRET, ARN),
    ]);
    variables.extend(changes.iter().copied());
    Env::from_map(
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    )
}

/// A REST event with these headers, each sent once.
pub(super) fn event(headers: &[(&str, &str)]) -> Value {
    let single: BTreeMap<_, _> = headers.iter().copied().collect();
    let multi: BTreeMap<_, _> = headers
        .iter()
        .map(|(name, value)| (*name, [*value]))
        .collect();
    json!({
        "headers": single,
        "multiValueHeaders": multi,
        "requestContext": {"identity": {"sourceIp": PEER}, "requestId": "r"},
    })
}
