//! A TCP proxy on loopback that can hold or cut what passes: for services that are slow or out of
//! reach.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What happens to bytes on their way to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They pass.
    Pass,
    /// They wait, on new connections and on open ones.
    Hold,
    /// Connections are closed, open ones too.
    Cut,
}

/// A proxy in front of one service.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    service: watch::Sender<Option<SocketAddr>>,
    mode: watch::Sender<Mode>,
    held: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy to `service` that lets everything pass.
    pub async fn to(service: SocketAddr) -> Self {
        let proxy = Self::start().await;
        proxy.forward()(service);
        proxy
    }

    /// Starts a proxy whose service does not listen yet: connections wait until [`Proxy::forward`]
    /// says where it does. So a service takes any free port, and none that was free a moment ago.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (service, known) = watch::channel(None);
        let (mode, watched) = watch::channel(Mode::Pass);
        let (count, held) = watch::channel(0);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, known.clone(), watched.clone(), count.clone()));
            }
        });
        Self {
            address,
            service,
            mode,
            held,
            task,
        }
    }

    /// Says where the service listens.
    pub fn forward(&self) -> impl FnOnce(SocketAddr) + Send + use<> {
        let service = self.service.clone();
        move |address| _ = service.send_replace(Some(address))
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what happens, for open connections too.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Waits until something has been held.
    pub async fn holds(&self) {
        self.held
            .clone()
            .wait_for(|held| *held > 0)
            .await
            .expect("the proxy runs");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(
    client: TcpStream,
    mut service: watch::Receiver<Option<SocketAddr>>,
    mode: watch::Receiver<Mode>,
    held: watch::Sender<usize>,
) {
    if *mode.borrow() == Mode::Cut {
        return;
    }
    let Some(address) = service
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|address| *address)
    else {
        return;
    };
    let Ok(service) = TcpStream::connect(address).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_service, to_service) = service.into_split();
    tokio::select! {
        () = copy(from_client, to_service, mode.clone(), &held) => {}
        () = copy(from_service, to_client, mode.clone(), &held) => {}
        () = cut(mode) => {}
    }
}

async fn cut(mut mode: watch::Receiver<Mode>) {
    let _: Result<_, _> = mode.wait_for(|mode| *mode == Mode::Cut).await;
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    held: &watch::Sender<usize>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        if length > 0 && *mode.borrow() == Mode::Hold {
            held.send_modify(|held| *held += 1);
        }
        let passes = mode.wait_for(|mode| *mode != Mode::Hold).await.is_ok();
        if length == 0 || !passes || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
