//! The platform with each function as a process of its own, with that function's environment and
//! role.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use emulator::{
    cloud::streams::{EventSource, Mapping},
    gateway::{FunctionError, Gateway, Invocation, Invoke, Options as GatewayOptions},
};
use local::{
    seed::Seed,
    services::{Options, Services, TEMPLATE},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Caller, lambda::FunctionProcess, platform::ALLOWED};
use tokio::net::TcpListener;

const WHY: &str = "LATCHKEY_BOOTSTRAPS names the directory of `sam build`; .ci/run sets it";
/// Lambda starts a function's process again that has not asked for an event by then.
pub(super) const LAMBDA_INIT: Duration = Duration::from_secs(10);

/// The platform over processes.
pub(super) struct Deployed {
    pub(super) services: Services,
    pub(super) seed: Seed,
    base_url: String,
    pub(super) functions: Arc<Processes>,
    pub(super) audit: EventSource,
    pub(super) directory: TempDir,
}

/// Every function's process, by its logical id, and what it answered to what.
pub(super) struct Processes {
    running: BTreeMap<String, Arc<FunctionProcess>>,
    pub(super) asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Invoke for Processes {
    fn invoke(&self, function: &str, event: Value) -> Invocation {
        self.asked
            .lock()
            .unwrap()
            .push((function.to_owned(), event.clone()));
        let process = Arc::clone(&self.running[function]);
        Box::pin(async move {
            let failed = |message| FunctionError {
                error_type: "Error".into(),
                message,
            };
            process.invoke(event).await.map_err(failed)
        })
    }
}

impl Deployed {
    pub(super) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let services = Services::start(with_canary(), &base_url).await.unwrap();
        let seed = local::seed::ensure(&services, &base_url, directory.path())
            .await
            .unwrap();
        give_canary(&services, &seed).await;
        let mut running = BTreeMap::new();
        for function in services.description().functions.keys() {
            let log = fs::File::create(directory.path().join(function)).unwrap();
            let process = FunctionProcess::start_into(
                &program(function),
                &environment(&services, function),
                log,
            )
            .await;
            running.insert(function.clone(), Arc::new(process));
        }
        let functions = Arc::new(Processes {
            running,
            asked: Arc::default(),
        });
        let clock = services.ambient().clock.clone();
        let options = GatewayOptions::new(Arc::new(move || clock().millis()));
        let gateway =
            Gateway::new(services.description().clone(), functions.clone(), options).unwrap();
        tokio::spawn(gateway.serve(listener, std::future::pending()));
        let audit = stream(&services, &functions);
        Self {
            services,
            seed,
            base_url,
            functions,
            audit,
            directory,
        }
    }

    pub(super) fn anonymous(&self) -> Caller {
        Caller::new(reqwest::Client::new(), &self.base_url)
    }

    pub(super) async fn bearer(&self, key: &operator::tenants::Credentials) -> Caller {
        self.anonymous().with_token(&self.token(key).await)
    }

    pub(super) async fn token(&self, key: &operator::tenants::Credentials) -> String {
        let form = json!({
            "grant_type": "client_credentials",
            "client_id": key.client_id,
            "client_secret": key.client_secret,
        });
        let answer = self
            .anonymous()
            .from(ALLOWED)
            .post("/oauth/token", &form)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    /// Everything that the functions printed.
    pub(super) fn printed(&self) -> String {
        self.functions
            .running
            .keys()
            .map(|function| fs::read_to_string(self.directory.path().join(function)).unwrap())
            .collect()
    }
}

/// The canary runs, by a secret that is of this stack for once.
fn with_canary() -> Options {
    let mut template = TEMPLATE.replace(
        "\nResources:\n",
        "\nResources:\n  CanarySecret: \
         {Type: AWS::SecretsManager::Secret, Properties: {SecretString: '{}'}}\n",
    );
    for place in ["LATCHKEY_CANARY_SECRET", "Resource"] {
        let named = format!("{place}: !Ref CanarySecretArn");
        assert_eq!(template.matches(&named).count(), 1, "{named}");
        template = template.replace(&named, &format!("{place}: !Ref CanarySecret"));
    }
    let arn = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:canary-AbCdEf";
    let parameters = [("CanarySecretArn".to_owned(), arn.to_owned())].into();
    Options {
        template,
        parameters,
        ..Options::default()
    }
}

async fn give_canary(services: &Services, seed: &Seed) {
    let secret =
        &services.description().functions["CanaryFunction"].environment["LATCHKEY_CANARY_SECRET"];
    let key = &seed.organization.key;
    let value = json!({"client_id": key.client_id, "client_secret": key.client_secret}).to_string();
    let secrets = aws_sdk_secretsmanager::Client::new(&services.ambient().aws);
    secrets
        .put_secret_value()
        .secret_id(secret)
        .secret_string(value)
        .send()
        .await
        .unwrap();
}

pub(super) fn program(function: &str) -> String {
    let directory = PathBuf::from(std::env::var("LATCHKEY_BOOTSTRAPS").expect(WHY));
    directory
        .join(function)
        .join("bootstrap")
        .to_str()
        .unwrap()
        .to_owned()
}

/// What the template gives this function, where the services are, and the access key of its role.
pub(super) fn environment(services: &Services, function: &str) -> BTreeMap<String, String> {
    let mut environment = services.environment_of(function).unwrap();
    environment.extend(
        services.description().functions[function]
            .environment
            .clone(),
    );
    environment
}

fn stream(services: &Services, functions: &Arc<Processes>) -> EventSource {
    let (function, source) = (
        "AuditFunction",
        &services.description().functions["AuditFunction"].streams[0],
    );
    let mapping = Mapping::from_properties(&source.name, &source.properties)
        .unwrap()
        .of_function(function);
    let functions = functions.clone();
    let invoke = move |event| {
        let invocation = functions.invoke(function, event);
        async move { invocation.await.map_err(|error| error.message) }
    };
    EventSource::start(services.cloud(), mapping, invoke).unwrap()
}
