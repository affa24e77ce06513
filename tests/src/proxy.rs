//! An HTTP proxy on loopback, in front of one service: for services that are slow, out of reach or
//! not as they must be.

use std::{
    cmp::Ordering,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use http::{HeaderMap, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    client, server,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::wait::until;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The service answers it.
    None,
    /// It waits until another fault is set, which then happens to it.
    Hold,
    /// It does not reach the service. The connection is closed without an answer.
    LoseRequest,
    /// It reaches the service. The connection is closed without an answer.
    LoseAnswer,
    /// Its answer is changed: [`Fault::rewrite`].
    Rewrite(Rewrite),
}

impl Fault {
    /// Changes each answer so, by the request to which it belongs.
    pub fn rewrite(change: impl Fn(&Request, &mut Response) + Send + Sync + 'static) -> Self {
        Self::Rewrite(Rewrite(Arc::new(change)))
    }
}

type Change = dyn Fn(&Request, &mut Response) + Send + Sync;

/// A change of answers.
#[derive(Clone)]
pub struct Rewrite(Arc<Change>);

impl fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// What a service is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The operation of AWS's JSON protocols, which `x-amz-target` names after the service; empty
    /// for anything else.
    pub operation: String,
    /// The body.
    pub body: Bytes,
}

impl Request {
    fn of(parts: &Parts, body: Bytes) -> Self {
        let target = parts
            .headers
            .get("x-amz-target")
            .and_then(|target| target.to_str().ok())
            .unwrap_or_default();
        let operation = target
            .split_once('.')
            .map_or("", |(_, operation)| operation)
            .to_owned();
        Self {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            operation,
            body,
        }
    }

    /// Whether it is this call, such as `GET /v1/whoami`, or this operation of any service.
    pub fn is(&self, call: &str) -> bool {
        call == format!("{} {}", self.method, self.path) || call == self.operation
    }
}

/// What a service answers.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
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

/// What happens to the requests from when it is set on, and which ones there were.
struct Rule {
    /// The request to which `fault` happens, from 0. Nothing happens to those before it.
    nth: usize,
    fault: Fault,
    /// What happens to the requests after that one.
    after: Fault,
    requests: Mutex<Vec<Request>>,
}

impl Rule {
    fn new(nth: usize, fault: Fault, after: Fault) -> Arc<Self> {
        Arc::new(Self {
            nth,
            fault,
            after,
            requests: Mutex::default(),
        })
    }

    fn next(&self, request: &Request) -> Fault {
        let mut requests = self.requests.lock().expect("no panic holds it");
        requests.push(request.clone());
        match (requests.len() - 1).cmp(&self.nth) {
            Ordering::Less => Fault::None,
            Ordering::Equal => self.fault.clone(),
            Ordering::Greater => self.after.clone(),
        }
    }
}

/// A proxy in front of one service.
pub struct Proxy {
    url: String,
    service: watch::Sender<Option<SocketAddr>>,
    rule: watch::Sender<Arc<Rule>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy to `service`.
    pub async fn to(service: SocketAddr) -> Self {
        let proxy = Self::start().await;
        proxy.forward()(service);
        proxy
    }

    /// Starts a proxy whose service does not listen yet: requests wait until [`Proxy::forward`]
    /// says where it does. So a service takes any free port, and none that was free a moment ago.
    pub async fn start() -> Self {
        Self::with(watch::Sender::new(Rule::new(0, Fault::None, Fault::None))).await
    }

    /// Starts a proxy whose service is another one, and does not listen yet. The requests to both
    /// are one sequence: what is set for one proxy is set for both.
    pub async fn beside(&self) -> Self {
        Self::with(self.rule.clone()).await
    }

    async fn with(rule: watch::Sender<Arc<Rule>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let service = watch::Sender::new(None);
        let (address, current) = (service.subscribe(), rule.subscribe());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (address, current) = (address.clone(), current.clone());
                let answering =
                    service_fn(move |request| answer(request, address.clone(), current.clone()));
                tokio::spawn(
                    server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(client), answering),
                );
            }
        });
        Self {
            url,
            service,
            rule,
            task,
        }
    }

    /// Says where the service listens.
    pub fn forward(&self) -> impl FnOnce(SocketAddr) + Send + use<> {
        let service = self.service.clone();
        move |address| _ = service.send_replace(Some(address))
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sets what happens to every request from now on, and to those that are held.
    pub fn set(&self, fault: Fault) {
        self.set_nth(0, fault.clone(), fault);
    }

    /// Sets what happens to the nth request from now on, from 0, and to those after it. Nothing
    /// happens to those before it.
    pub fn set_nth(&self, nth: usize, fault: Fault, after: Fault) {
        self.rule.send_replace(Rule::new(nth, fault, after));
    }

    /// The requests since a fault was last set.
    pub fn requests(&self) -> Vec<Request> {
        self.rule
            .borrow()
            .requests
            .lock()
            .expect("no panic holds it")
            .clone()
    }

    /// Waits until a request is held.
    pub async fn until_held(&self) {
        until("a request is held", async || !self.requests().is_empty()).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers a request as the service does, with the headers as they are: they are signed. An error
/// closes the connection.
async fn answer(
    request: http::Request<Incoming>,
    mut service: watch::Receiver<Option<SocketAddr>>,
    mut rule: watch::Receiver<Arc<Rule>>,
) -> Result<http::Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let asked = Request::of(&parts, body.clone());
    let fault = loop {
        let current = rule.borrow_and_update().clone();
        match current.next(&asked) {
            Fault::Hold => rule.changed().await?,
            Fault::LoseRequest => return Err("the request is lost".into()),
            fault => break fault,
        }
    };
    let address = service
        .wait_for(Option::is_some)
        .await?
        .expect("an address");
    let (mut sender, connection) =
        client::conn::http1::handshake(TokioIo::new(TcpStream::connect(address).await?)).await?;
    tokio::spawn(connection);
    let answered = sender
        .send_request(http::Request::from_parts(parts, Full::new(body)))
        .await?;
    let (mut parts, body) = answered.into_parts();
    let mut body = body.collect().await?.to_bytes();
    match fault {
        Fault::LoseAnswer => return Err("the answer is lost".into()),
        Fault::Rewrite(Rewrite(change)) => {
            let mut response = Response {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: body.into(),
            };
            change(&asked, &mut response);
            (parts.status, parts.headers, body) = (
                StatusCode::from_u16(response.status)?,
                response.headers,
                response.body.into(),
            );
            // These are of the body that the service sent.
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.remove("x-amz-crc32");
        }
        _ => {}
    }
    Ok(http::Response::from_parts(parts, Full::new(body)))
}
