//! The whole platform in one process: embedded cloud services, the functions, and the gateway that
//! reads the template.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use emulator::{
    cloud::streams::{EventSource, Mapping},
    gateway::{AccessLog, Gateway, Invoke, Options as GatewayOptions},
};
use runtime::StartError;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{
    aws,
    functions::Functions,
    schedule::Schedules,
    services::{Options, Services},
};

/// The running platform.
#[derive(Debug)]
pub struct Stack {
    services: Arc<Services>,
    base_url: String,
    streams: Vec<EventSource>,
    schedules: Schedules,
    gateway: JoinHandle<std::io::Result<()>>,
    stop: oneshot::Sender<()>,
}

impl Stack {
    /// Starts everything and answers once the gateway does.
    ///
    /// # Errors
    /// One sentence about what keeps it from starting.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let port = options.port;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|error| format!("port {port}: {error}"))?;
        let base_url = format!("http://{}", listener.local_addr()?);
        Self::over(
            Arc::new(Services::start(options, &base_url).await?),
            listener,
        )
        .await
    }

    /// The same platform with functions that remember nothing, as after a deployment. It answers at
    /// another port.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub async fn renewed(&self) -> Result<Self, StartError> {
        Self::over(
            self.services.clone(),
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
        )
        .await
    }

    async fn over(services: Arc<Services>, listener: TcpListener) -> Result<Self, StartError> {
        let base_url = format!("http://{}", listener.local_addr()?);
        let started = Functions::start(services.description(), |function| {
            services.ambient_of(function)
        })
        .await?;
        let functions: Arc<dyn Invoke> = Arc::new(started);
        let streams = event_sources(&services, &functions)?;
        let schedules = Schedules::start(
            services.description(),
            &functions,
            &services.ambient().clock,
        );
        let clock = services.ambient().clock.clone();
        let mut gateway_options = GatewayOptions::new(Arc::new(move || clock().millis()));
        if let Some(log) = &services.description().api.access_log {
            gateway_options.access_log = AccessLog::to(services.cloud().log_sink(&log.destination));
        }
        let gateway = Gateway::new(services.description().clone(), functions, gateway_options)?;
        let (stop, stopped) = oneshot::channel();
        let gateway = tokio::spawn(gateway.serve(listener, async {
            // Whether told to stop or dropped: either way it is over.
            let _: Result<(), _> = stopped.await;
        }));
        Ok(Self {
            services,
            base_url,
            streams,
            schedules,
            gateway,
            stop,
        })
    }

    /// Where the gateway answers, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// What is below the functions.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Waits until every stream's consumer has seen what was written so far.
    ///
    /// # Errors
    /// It has not within a few seconds.
    pub async fn drain(&self) -> Result<(), StartError> {
        self.drain_within(aws::SHUTDOWN_TIMEOUT).await
    }

    /// [`Stack::drain`] with a timeout of one's own, for each stream.
    ///
    /// # Errors
    /// It has not within that time.
    pub async fn drain_within(&self, timeout: Duration) -> Result<(), StartError> {
        for stream in &self.streams {
            stream.drain(timeout).await?;
        }
        Ok(())
    }

    /// Lets requests finish and streams be consumed, for a few seconds, then stops everything.
    ///
    /// # Errors
    /// Something did not finish in time, or the gateway failed; all is stopped nevertheless.
    pub async fn stop(self) -> Result<(), StartError> {
        drop(self.schedules);
        let _: Result<(), ()> = self.stop.send(());
        let gateway = tokio::time::timeout(aws::SHUTDOWN_TIMEOUT, self.gateway).await;
        for stream in self.streams {
            stream.drain_and_stop(aws::SHUTDOWN_TIMEOUT).await?;
        }
        if let Some(services) = Arc::into_inner(self.services) {
            services.stop().await;
        }
        // A connection that a client keeps open is no reason to wait longer.
        gateway.map_or(Ok(()), |ended| Ok(ended??))
    }
}

fn event_sources(
    services: &Services,
    functions: &Arc<dyn Invoke>,
) -> Result<Vec<EventSource>, StartError> {
    let mut sources = Vec::new();
    for (name, function) in &services.description().functions {
        for stream in &function.streams {
            let mapping =
                Mapping::from_properties(&format!("{name}.{}", stream.name), &stream.properties)?
                    .of_function(name);
            let (functions, name) = (functions.clone(), name.clone());
            let invoke = move |event| {
                let invocation = functions.invoke(&name, event);
                async move { invocation.await.map_err(|error| error.message) }
            };
            sources.push(EventSource::start(services.cloud(), mapping, invoke)?);
        }
    }
    Ok(sources)
}
