//! A trusted proxy in front of the gateway (docs/requirements.md, Source IP): its header counts
//! when it proves itself, and no other header ever does, at every door that resolves an address.

mod event_shapes;
mod rotation;
mod spoofed;

use std::{collections::BTreeMap, net::SocketAddr};

use emulator::cloud::Storage;
use local::services::{Options, Services, TEMPLATE};
use operator::tenants::Credentials;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Answer, Caller, Platform, platform::ALLOWED};

const ADDRESS_HEADER: &str = "CloudFront-Viewer-Address";
pub(crate) const PROOF_HEADER: &str = "X-Latchkey-Proxy";
/// An edge of the proxy, as the gateway sees it.
pub(crate) const EDGE: &str = "130.176.0.1";
/// What the proxy says of a caller who is on the list, and of one who is not.
const LISTED: &str = "8.8.8.8:46532";
const UNLISTED: &str = "9.9.9.9:46532";
const WHOAMI: &str = "/v1/whoami";

/// The platform behind a proxy, as it is deployed: the secret first, then the stack that names it.
pub(crate) struct Behind {
    pub(crate) platform: Platform,
    secret: String,
    _directory: TempDir,
}

/// What the proxy proves itself by at first.
fn proof() -> String {
    "first-proof-".repeat(4)
}

impl Behind {
    pub(crate) async fn start() -> Self {
        Self::with(TEMPLATE, Some(&json!({"current": proof()}))).await
    }

    /// Over another template, or with another secret; with none, the name of one that is not there.
    async fn with(template: &str, secret: Option<&Value>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let storage = || Storage::Directory(directory.path().join("data"));
        let services = Services::start(
            Options {
                storage: storage(),
                ..Options::default()
            },
            "http://127.0.0.1:1",
        )
        .await
        .unwrap();
        let arn = match secret {
            None => "arn:aws:secretsmanager:eu-west-1:000000000000:secret:proxy-AbCdEf".to_owned(),
            Some(value) => {
                let request = json!({"Name": "proxy", "SecretString": value.to_string()});
                let made =
                    secrets_manager(services.cloud().api_address(), "CreateSecret", &request).await;
                made["ARN"].as_str().unwrap().to_owned()
            }
        };
        services.stop().await;
        let parameters = parameters(&[ADDRESS_HEADER, PROOF_HEADER, &arn]);
        let options = Options {
            storage: storage(),
            template: template.to_owned(),
            parameters,
            ..Options::default()
        };
        Self {
            platform: Platform::with(options).await,
            secret: arn,
            _directory: directory,
        }
    }

    /// What the secret holds.
    async fn held(&self) -> Value {
        let address = self.platform.stack.services().cloud().api_address();
        let answer =
            secrets_manager(address, "GetSecretValue", &json!({"SecretId": self.secret})).await;
        serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap()
    }

    async fn put(&self, value: &Value) {
        let address = self.platform.stack.services().cloud().api_address();
        let request = json!({"SecretId": self.secret, "SecretString": value.to_string()});
        secrets_manager(address, "PutSecretValue", &request).await;
    }

    /// A caller at an edge of the proxy, by what the gateway sees.
    fn edge(&self) -> Caller {
        self.platform.anonymous().from(EDGE)
    }

    /// A bank's key that may be used from [`ALLOWED`] alone, with a token of it that was asked for
    /// there.
    pub(crate) async fn listed_key(&self) -> (Credentials, String) {
        let key = self
            .platform
            .bank_key(json!({"ip_allowlist": [ALLOWED]}))
            .await;
        let answer = self
            .platform
            .request_token(&key, self.platform.anonymous().from(ALLOWED))
            .await;
        let token = answer.body["access_token"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer:?}"))
            .to_owned();
        (key, token)
    }
}

fn parameters(values: &[&str; 3]) -> BTreeMap<String, String> {
    let names = [
        "TrustedProxyAddressHeader",
        "TrustedProxyProofHeader",
        "TrustedProxySecretArn",
    ];
    names
        .into_iter()
        .zip(values)
        .map(|(name, value)| (name.to_owned(), (*value).to_owned()))
        .collect()
}

/// A call of the account's root.
async fn secrets_manager(at: SocketAddr, operation: &str, request: &Value) -> Value {
    let authorization = "AWS4-HMAC-SHA256 \
                         Credential=local/20300101/eu-west-1/secretsmanager/aws4_request, \
                         SignedHeaders=host, Signature=0";
    let answer = reqwest::Client::new()
        .post(format!("http://{at}"))
        .header("x-amz-target", format!("secretsmanager.{operation}"))
        .header("authorization", authorization)
        .json(request)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{operation}");
    answer.json().await.unwrap()
}

/// What the caller of a listed key is told at each door, with these headers: the sample API and the
/// management API behind their authorizers, the token endpoint, and a token's introspection by a
/// bearer credential, which the function evaluates itself.
async fn doors(
    from: &Caller,
    key: &Credentials,
    token: &str,
    headers: &[(&str, &str)],
) -> [(u16, String); 4] {
    let send = async |request: reqwest::RequestBuilder| {
        let answer = Answer::of(headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        }))
        .await;
        let code = answer.body["message_code"]
            .as_str()
            .or(answer.body["error"].as_str());
        (answer.status, code.unwrap_or_default().to_owned())
    };
    let bearer = from.clone().with_token(token);
    let credentials = json!({
        "grant_type": "client_credentials",
        "client_id": key.client_id,
        "client_secret": key.client_secret,
    });
    [
        send(bearer.request(Method::GET, WHOAMI)).await,
        send(bearer.request(Method::GET, "/api/banks")).await,
        send(
            from.request(Method::POST, "/oauth/token")
                .json(&credentials),
        )
        .await,
        send(
            bearer
                .request(Method::POST, "/oauth/introspect")
                .json(&json!({"token": token})),
        )
        .await,
    ]
}

fn told(answers: [(u16, &str); 4]) -> [(u16, String); 4] {
    answers.map(|(status, code)| (status, code.to_owned()))
}

/// Let in at every door.
fn admitted() -> [(u16, String); 4] {
    told([(200, ""); 4])
}

/// The address is known and not on the list.
fn not_allowed() -> [(u16, String); 4] {
    told([(403, "ip_not_allowed"); 4])
}

/// The address is not known: the token endpoint has one answer for both (CYB-6), and introspection
/// the dialect of OAuth.
fn unknown() -> [(u16, String); 4] {
    told([
        (403, "ip_unknown"),
        (403, "ip_unknown"),
        (403, "ip_not_allowed"),
        (403, "forbidden"),
    ])
}

/// The address is not known for now.
fn undetermined() -> [(u16, String); 4] {
    told([(503, "temporarily_unavailable"); 4])
}
