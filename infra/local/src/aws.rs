//! The configuration of the AWS SDK clients of functions that run in this process: real clients
//! over plain HTTP on loopback.

use std::{collections::BTreeMap, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::Builder as HttpClientBuilder;
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use domain::time::{Clock, Timestamp};

/// A configuration as another process would have it from `environment` (see
/// [`emulator::cloud::Cloud::environment`]).
///
/// With a `clock` that is not the machine's, the embedded services seem to live by it too: their
/// `Date` moves along.
#[must_use]
pub fn config(environment: &BTreeMap<String, String>, clock: Option<(Clock, Clock)>) -> SdkConfig {
    let value = |name: &str| environment.get(name).cloned().unwrap_or_default();
    let credentials = Credentials::new(
        value("AWS_ACCESS_KEY_ID"),
        value("AWS_SECRET_ACCESS_KEY"),
        None,
        None,
        "local",
    );
    let plain = HttpClientBuilder::new().build_http();
    let http_client = match clock {
        None => plain,
        Some((shown, machine)) => SharedHttpClient::new(ShiftedDates {
            plain,
            shown,
            machine,
        }),
    };
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(value("AWS_REGION")))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client)
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        ))
        .time_source(aws_smithy_async::time::SharedTimeSource::new(
            aws_smithy_async::time::SystemTimeSource::new(),
        ))
        .service_config(Endpoints(environment.clone()))
        .build()
}

/// `AWS_ENDPOINT_URL_<SERVICE>`, then `AWS_ENDPOINT_URL`, as the SDK reads them from a real
/// environment.
#[derive(Debug)]
struct Endpoints(BTreeMap<String, String>);

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_ascii_uppercase().replace(' ', "_");
        self.0
            .get(&format!("{}_{service}", key.env()))
            .or_else(|| self.0.get(key.env()))
            .cloned()
    }
}

/// Moves the `Date` of answers by as much as the shown clock differs from the machine's.
#[derive(Clone)]
struct ShiftedDates<T> {
    plain: T,
    shown: Clock,
    machine: Clock,
}

impl<T> std::fmt::Debug for ShiftedDates<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShiftedDates")
    }
}

impl HttpClient for ShiftedDates<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let plain = self.plain.http_connector(settings, components);
        SharedHttpConnector::new(ShiftedDates {
            plain,
            shown: self.shown.clone(),
            machine: self.machine.clone(),
        })
    }
}

impl HttpConnector for ShiftedDates<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self {
            plain,
            shown,
            machine,
        } = self.clone();
        HttpConnectorFuture::new(async move {
            let mut answer = plain.call(request).await?;
            let date = answer.headers().get("date").and_then(http_date);
            if let Some(date) = date {
                let shift = shown().since(machine());
                let moved = Timestamp::from_millis(date.saturating_add(shift));
                let text = aws_smithy_types::DateTime::from_millis(moved.millis())
                    .fmt(aws_smithy_types::date_time::Format::HttpDate);
                answer
                    .headers_mut()
                    .insert("date", text.unwrap_or_default());
            }
            Ok(answer)
        })
    }
}

fn http_date(text: &str) -> Option<i64> {
    let date =
        aws_smithy_types::DateTime::from_str(text, aws_smithy_types::date_time::Format::HttpDate)
            .ok()?;
    date.to_millis().ok()
}

/// How long the embedded services are given to finish when the stack stops.
pub(crate) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
