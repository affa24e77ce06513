//! One request as the gateway received it, within API Gateway's limits, before anybody decided
//! anything about it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use axum::body::Body;
use http::request::Parts;
use http_body_util::BodyExt;

use super::{
    headers::{self, Forwarded},
    reply::{Plain, Wire},
};

/// "Total combined size of request line and header values".
const HEADER_LIMIT: usize = 10_240;
/// API Gateway's payload limit, 10 MiB.
const BODY_LIMIT: usize = 10_485_760;
/// How much of a body that is too large is still read, so that the client reads the answer instead
/// of a reset.
const DRAIN_LIMIT: usize = 4 * BODY_LIMIT;
/// Names the caller's address, here and only here.
const LOCAL_SOURCE_IP: &str = "x-local-source-ip";

#[derive(Debug)]
pub(super) struct Call {
    pub(super) request_id: String,
    pub(super) extended_request_id: String,
    pub(super) trace_id: String,
    pub(super) received: i64,
    pub(super) method: String,
    /// As sent, without the query.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, Vec<String>>,
    /// As authorizers and functions get them.
    pub(super) headers: BTreeMap<String, Vec<String>>,
    pub(super) host: String,
    pub(super) source_ip: IpAddr,
    pub(super) body: Vec<u8>,
}

impl Call {
    /// Names a request before anything else is known of it, so that every answer carries its id.
    pub(super) fn new(received: i64, peer: SocketAddr) -> Self {
        let [first, second] = random();
        let (id, trace) = (format!("{first:032x}"), format!("{second:032x}"));
        let seconds = u32::try_from(received / 1000).unwrap_or_default();
        Self {
            request_id: format!(
                "{}-{}-4{}-8{}-{}",
                &id[..8],
                &id[8..12],
                &id[13..16],
                &id[17..20],
                &id[20..]
            ),
            extended_request_id: format!("{}=", &trace[17..]),
            trace_id: format!("Root=1-{seconds:08x}-{}", &trace[..24]),
            received,
            method: String::new(),
            path: String::new(),
            query: BTreeMap::new(),
            headers: BTreeMap::new(),
            host: String::new(),
            source_ip: peer.ip().to_canonical(),
            body: Vec::new(),
        }
    }

    /// Reads the request. What is refused here never reaches the gateway responses: on AWS the
    /// server in front of API Gateway refuses it, in plain text.
    pub(super) async fn read(&mut self, parts: &Parts, body: Body, port: u16) -> Result<(), Plain> {
        parts.method.as_str().clone_into(&mut self.method);
        parts.uri.path().clone_into(&mut self.path);
        let received = received_headers(parts);
        self.take_source_ip(&received)?;
        let line =
            parts.method.as_str().len() + parts.uri.to_string().len() + " HTTP/1.1".len() + 1;
        let values: usize = received.iter().map(|(_, value)| value.len()).sum();
        if line + values > HEADER_LIMIT {
            return Err(Plain::new(
                431,
                format!("HTTP header is larger than {HEADER_LIMIT} bytes."),
            ));
        }
        self.body = read_body(body).await?;
        // Documented: the header wins over the method of the request line.
        if let Some(method) = first(&received, "x-http-method-override") {
            self.method = method.to_ascii_uppercase();
        }
        if let Some(root) = first(&received, "x-amzn-trace-id").and_then(trace_root) {
            self.trace_id = format!("Root={root}");
        }
        self.query = query(parts.uri.query().unwrap_or_default());
        first(&received, "host")
            .unwrap_or_default()
            .clone_into(&mut self.host);
        let visible: Vec<Wire> = received
            .into_iter()
            .filter(|(name, _)| name != LOCAL_SOURCE_IP)
            .collect();
        let source_ip = self.source_ip.to_string();
        let forwarded = Forwarded {
            source_ip: &source_ip,
            port,
            trace_id: &self.trace_id,
        };
        self.headers = headers::of_event(&visible, &forwarded);
        Ok(())
    }

    /// A header's last value; names are compared without regard to case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found
            .and_then(|(_, values)| values.last())
            .map(String::as_str)
    }

    fn take_source_ip(&mut self, received: &[Wire]) -> Result<(), Plain> {
        let mut named = received.iter().filter(|(name, _)| name == LOCAL_SOURCE_IP);
        let Some((_, first)) = named.next() else {
            return Ok(());
        };
        match first.trim().parse() {
            Ok(address) if named.next().is_none() => self.source_ip = address,
            _ => {
                return Err(Plain::new(
                    400,
                    "X-Local-Source-Ip must be one IP address.".into(),
                ));
            }
        }
        Ok(())
    }
}

/// Request ids need only be distinct.
#[expect(
    clippy::disallowed_methods,
    reason = "the gateway draws its own ids, and they decide nothing"
)]
fn random() -> [u128; 2] {
    rand::random()
}

/// Header names arrive in lower case, as those of every HTTP/2 client do on AWS.
fn received_headers(parts: &Parts) -> Vec<Wire> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect()
}

fn first<'a>(received: &'a [Wire], name: &str) -> Option<&'a str> {
    received
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

fn trace_root(header: &str) -> Option<&str> {
    let root = header
        .split(';')
        .find_map(|part| part.trim().strip_prefix("Root="))?;
    root.bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        .then_some(root)
}

/// Decoded; a semicolon separates as an ampersand does (documented).
fn query(query: &str) -> BTreeMap<String, Vec<String>> {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // Decoding of a form is lossy, so it does not fail.
    let pairs: Vec<Wire> = serde_urlencoded::from_str(&query.replace(';', "&")).unwrap_or_default();
    for (name, value) in pairs {
        parameters.entry(name).or_default().push(value);
    }
    parameters
}

async fn read_body(mut body: Body) -> Result<Vec<u8>, Plain> {
    let (mut whole, mut size) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Plain::new(400, "Bad Request".into()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size += data.len();
        if size <= BODY_LIMIT {
            whole.extend_from_slice(&data);
        }
        if size > DRAIN_LIMIT {
            break;
        }
    }
    if size > BODY_LIMIT {
        return Err(Plain::new(
            413,
            format!("HTTP content length exceeded {BODY_LIMIT} bytes."),
        ));
    }
    Ok(whole)
}
