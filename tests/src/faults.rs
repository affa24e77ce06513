//! Proxies on loopback that count requests and, at one of them, lose the request or its answer. Of
//! several services together, so that everything a program does is one sequence.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The request does not reach the service.
    Request,
    /// The service did what it was asked for, and nobody learns of it.
    Answer,
}

/// What happens to the request that is the nth from when it was said, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub nth: usize,
    /// What of it.
    pub loss: Loss,
    /// Whether nothing comes through from then on, as where a program is killed.
    pub for_good: bool,
}

/// What is to happen, and what has.
#[derive(Debug, Default)]
pub struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seen: usize,
    fault: Option<Fault>,
}

impl Faults {
    /// Has this happen from now on, or nothing. Gives how many requests there were since it was
    /// said last.
    pub fn set(&self, fault: Option<Fault>) -> usize {
        let mut state = self.0.lock().expect("no panic holds it");
        std::mem::replace(&mut *state, State { seen: 0, fault }).seen
    }

    fn next(&self) -> Option<Loss> {
        let mut state = self.0.lock().expect("no panic holds it");
        let at = state.seen;
        state.seen += 1;
        let fault = state.fault?;
        match at {
            at if at == fault.nth => Some(fault.loss),
            at if at > fault.nth && fault.for_good => Some(Loss::Request),
            _ => None,
        }
    }
}

/// A proxy in front of one service.
#[derive(Debug)]
pub struct FaultyProxy {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl FaultyProxy {
    /// Starts a proxy to `service`.
    pub async fn to(service: SocketAddr, faults: Arc<Faults>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, service, faults.clone()));
            }
        });
        Self { address, task }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request after another; a loss closes the connection.
async fn relay(mut client: TcpStream, service: SocketAddr, faults: Arc<Faults>) -> Option<()> {
    loop {
        let request = message(&mut client).await?;
        let loss = faults.next();
        if loss == Some(Loss::Request) {
            return None;
        }
        let mut service = TcpStream::connect(service).await.ok()?;
        service.write_all(&request).await.ok()?;
        let answer = message(&mut service).await?;
        if loss == Some(Loss::Answer) {
            return None;
        }
        client.write_all(&answer).await.ok()?;
    }
}

/// An HTTP/1.1 message with a `Content-Length`, or without a body.
async fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map(str::trim);
    let whole = head + length.map_or(Some(0), |length| length.parse().ok())?;
    while bytes.len() < whole {
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    }
    Some(bytes)
}
