//! One loopback listener and the task that serves it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use dynoxide::Database;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};

use super::{
    access::{authority::Authority, front},
    dispatch,
    error::CloudError,
    state::Api,
};

/// How long a running request may hold up a stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// A server that stops when this value is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    /// The server that this one hands requests on to, which must outlive them.
    upstream: Option<Box<Self>>,
}

/// Serves the tables, behind the door that decides who may do what to them.
pub(super) async fn dynamodb(
    port: u16,
    database: Database,
    authority: Arc<Authority>,
) -> Result<Server, CloudError> {
    let (listener, address) = bind(port).await?;
    let upstream = tables(database).await?;
    let router = front::router(authority, upstream.address);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let serving = axum::serve(listener, router);
        if let Err(error) = serving
            .with_graceful_shutdown(async { drop(stopped.await) })
            .await
        {
            tracing::error!(%error, "the door before the embedded DynamoDB stopped");
        }
    });
    Ok(Server {
        address,
        stop: Some(stop),
        task,
        upstream: Some(Box::new(upstream)),
    })
}

/// The tables themselves. Their library has no way in but a listener of its own.
async fn tables(database: Database) -> Result<Server, CloudError> {
    let (listener, address) = bind(0).await?;
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let serving = dynoxide::server::serve_with_shutdown(listener, database, async {
            drop(stopped.await);
        });
        if let Err(error) = serving.await {
            tracing::error!(%error, "the embedded DynamoDB stopped");
        }
    });
    Ok(Server {
        address,
        stop: Some(stop),
        task,
        upstream: None,
    })
}

/// Serves KMS and Secrets Manager.
pub(super) async fn api(port: u16, api: Arc<Api>) -> Result<Server, CloudError> {
    let (listener, address) = bind(port).await?;
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let serving = axum::serve(listener, dispatch::router(api));
        if let Err(error) = serving
            .with_graceful_shutdown(async { drop(stopped.await) })
            .await
        {
            tracing::error!(%error, "the embedded KMS and Secrets Manager stopped");
        }
    });
    Ok(Server {
        address,
        stop: Some(stop),
        task,
        upstream: None,
    })
}

impl Server {
    /// Stops listening and waits for the running requests.
    pub(super) async fn stop(&mut self) {
        self.stop_listening().await;
        if let Some(mut upstream) = self.upstream.take() {
            upstream.stop_listening().await;
        }
    }

    async fn stop_listening(&mut self) {
        drop(self.stop.take());
        if timeout(SHUTDOWN_TIMEOUT, &mut self.task).await.is_err() {
            tracing::warn!(
                address = %self.address,
                "a request did not finish in time for the stop"
            );
            self.task.abort();
        }
    }
}

async fn bind(port: u16) -> Result<(TcpListener, SocketAddr), CloudError> {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let refuse = |e| CloudError::new(format!("cannot listen on {wanted}: {e}"));
    let listener = TcpListener::bind(wanted).await.map_err(refuse)?;
    let address = listener.local_addr().map_err(refuse)?;
    Ok((listener, address))
}
