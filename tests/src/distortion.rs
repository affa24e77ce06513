//! A proxy on loopback that changes answers: for deployments and services that are not as they must
//! be.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header, request::Parts},
    response::Response,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The operation of AWS's JSON protocols, `x-amz-target`; empty for anything else.
    pub target: String,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// Whether it is this call, or this operation of whatever service.
    pub fn is(&self, call: &str) -> bool {
        call == format!("{} {}", self.method, self.path)
            || self
                .target
                .split_once('.')
                .is_some_and(|(_, operation)| operation == call)
    }
}

impl Answered {
    /// Changes a member of the body; a path as `serde_json` points at one.
    pub fn set(&mut self, pointer: &str, value: Value) {
        let mut body = self.json();
        *body
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("no {pointer}")) = value;
        self.say(self.status, &body);
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Answers something else.
    pub fn say(&mut self, status: u16, body: &Value) {
        self.status = status;
        self.body = body.to_string().into_bytes();
    }
}

type Change = Arc<dyn Fn(&Asked, &mut Answered) + Send + Sync>;

/// A proxy in front of one service.
pub struct Distortion {
    url: String,
    change: Arc<Mutex<Option<Change>>>,
    task: JoinHandle<()>,
}

impl fmt::Debug for Distortion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Distortion").field(&self.url).finish()
    }
}

struct Shared {
    upstream: String,
    http: reqwest::Client,
    change: Arc<Mutex<Option<Change>>>,
}

impl Distortion {
    /// Starts a proxy to the service at this URL, which changes nothing yet.
    pub async fn of(upstream: &str) -> Self {
        let change = Arc::new(Mutex::new(None));
        let shared = Shared {
            upstream: upstream.to_owned(),
            http: reqwest::Client::new(),
            change: change.clone(),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(relay).with_state(Arc::new(shared));
        let task = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("the proxy serves");
        });
        Self { url, change, task }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes every answer so from now on.
    pub fn set(&self, change: impl Fn(&Asked, &mut Answered) + Send + Sync + 'static) {
        *self.change.lock().expect("no panic holds it") = Some(Arc::new(change));
    }
}

impl Drop for Distortion {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (
        Parts {
            method,
            uri,
            mut headers,
            ..
        },
        body,
    ) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("a whole body");
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let asked = Asked {
        method: method.to_string(),
        path: uri.path().to_owned(),
        target,
    };
    headers.remove(header::HOST);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let url: Uri = format!("{}{path}", shared.upstream).parse().expect("a URL");
    let asking = shared
        .http
        .request(method, url.to_string())
        .headers(headers)
        .body(body);
    let answer = asking.send().await.expect("the service answers");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let mut answered = Answered {
        status,
        headers,
        body: answer.bytes().await.expect("a whole answer").to_vec(),
    };
    let change = shared.change.lock().expect("no panic holds it").clone();
    if let Some(change) = change {
        change(&asked, &mut answered);
    }
    let mut response = Response::new(Body::from(answered.body.clone()));
    *response.status_mut() = StatusCode::from_u16(answered.status).expect("a status");
    for name in [
        "content-length",
        "transfer-encoding",
        "connection",
        "x-amz-crc32",
    ] {
        answered.headers.remove(name);
    }
    answered.headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(answered.body.len()),
    );
    *response.headers_mut() = answered.headers;
    response
}
