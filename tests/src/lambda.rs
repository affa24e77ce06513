//! A function as a process of its own, driven over the Lambda Runtime API as Lambda drives it.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    net::Ipv4Addr,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex as AsyncMutex, mpsc, oneshot},
    task::JoinHandle,
};

/// What an invocation came to: the function's answer, or the `errorMessage` that it reported.
pub type Outcome = Result<Value, String>;

/// A function's process.
#[derive(Debug)]
pub struct FunctionProcess {
    events: mpsc::UnboundedSender<(u64, Value)>,
    runtime: Arc<Runtime>,
    next: AtomicU64,
    server: JoinHandle<()>,
    process: Child,
}

#[derive(Debug)]
struct Runtime {
    events: AsyncMutex<mpsc::UnboundedReceiver<(u64, Value)>>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Outcome>>>,
}

impl FunctionProcess {
    /// Starts `program` with these variables and no others of its own kind. What it prints is of no
    /// interest.
    pub async fn start(program: &str, environment: &BTreeMap<String, String>) -> Self {
        Self::printing(program, environment, Stdio::null(), Stdio::inherit()).await
    }

    /// The same, with all that it prints going into a file.
    pub async fn start_into(
        program: &str,
        environment: &BTreeMap<String, String>,
        file: File,
    ) -> Self {
        let errors = file.try_clone().expect("a file that two may write");
        Self::printing(program, environment, file.into(), errors.into()).await
    }

    async fn printing(
        program: &str,
        environment: &BTreeMap<String, String>,
        output: Stdio,
        errors: Stdio,
    ) -> Self {
        let (events, receiver) = mpsc::unbounded_channel();
        let runtime = Arc::new(Runtime {
            events: AsyncMutex::new(receiver),
            waiting: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(response),
            )
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(runtime.clone());
        let server = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("the runtime API serves");
        });
        let process = Command::new(program)
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .expect("the function's process");
        Self {
            events,
            runtime,
            next: AtomicU64::new(1),
            server,
            process,
        }
    }

    /// The process's id.
    ///
    /// # Panics
    /// When it has ended.
    pub fn id(&self) -> u32 {
        self.process.id().expect("the process runs")
    }

    /// Calls the function with an event and waits for what it comes to.
    pub async fn invoke(&self, event: Value) -> Outcome {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        let (sender, outcome) = oneshot::channel();
        self.runtime
            .waiting
            .lock()
            .expect("no panic holds it")
            .insert(id, sender);
        self.events.send((id, event)).expect("the runtime API runs");
        outcome.await.expect("the function's process answers")
    }
}

impl Drop for FunctionProcess {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(runtime): State<Arc<Runtime>>) -> Response {
    match runtime.events.lock().await.recv().await {
        Some((id, event)) => (
            [
                ("lambda-runtime-aws-request-id", id.to_string()),
                ("lambda-runtime-deadline-ms", "32503680000000".into()),
                (
                    "lambda-runtime-invoked-function-arn",
                    "arn:aws:lambda:eu-west-1:000000000000:function:function".into(),
                ),
            ],
            event.to_string(),
        )
            .into_response(),
        None => StatusCode::GONE.into_response(),
    }
}

async fn response(
    State(runtime): State<Arc<Runtime>>,
    Path(id): Path<u64>,
    body: String,
) -> StatusCode {
    finish(
        &runtime,
        id,
        Ok(serde_json::from_str(&body).expect("an answer in JSON")),
    )
}

async fn error(
    State(runtime): State<Arc<Runtime>>,
    Path(id): Path<u64>,
    body: String,
) -> StatusCode {
    let report: Value = serde_json::from_str(&body).expect("a report in JSON");
    finish(
        &runtime,
        id,
        Err(report["errorMessage"]
            .as_str()
            .unwrap_or_default()
            .to_owned()),
    )
}

fn finish(runtime: &Runtime, id: u64, outcome: Outcome) -> StatusCode {
    if let Some(waiting) = runtime
        .waiting
        .lock()
        .expect("no panic holds it")
        .remove(&id)
    {
        // A test that no longer waits is no concern of the function.
        drop(waiting.send(outcome));
    }
    StatusCode::ACCEPTED
}
