//! Calling functions within Lambda's limits: their own timeouts and the size of what goes in and
//! comes out.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use sam::template::Function;
use serde_json::Value;

/// Synchronous invocations take and give at most 6 MB.
const EVENT_LIMIT: usize = 6_291_456;
const ANSWER_LIMIT: usize = 6_291_556;

/// Why a function gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// Its kind, as Lambda's `errorType`. It is logged, so it must not carry secrets.
    pub error_type: String,
    /// Its text, as Lambda's `errorMessage`. It is never logged; `Unauthorized` of an authorizer
    /// has a meaning.
    pub message: String,
}

/// What an invocation comes to.
pub type Invocation = Pin<Box<dyn Future<Output = Result<Value, FunctionError>> + Send>>;

/// Whoever runs the functions.
pub trait Invoke: Send + Sync + 'static {
    /// Runs a function, named by its logical id, with an event.
    fn invoke(&self, function: &str, event: Value) -> Invocation;
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Function(FunctionError),
    /// The caller's own timeout ended first; the function goes on.
    Deadline,
    EventTooLarge,
}

/// Runs a function in a task of its own: as on Lambda it outlives a caller that goes away, and is
/// stopped at its own timeout; a panic is its error and nobody else's.
pub(super) async fn call(
    invoker: &Arc<dyn Invoke>,
    function: &Function,
    event: Value,
    deadline: Option<Duration>,
) -> Result<Value, Failure> {
    if size(&event) > EVENT_LIMIT {
        return Err(Failure::EventTooLarge);
    }
    let (invocation, own) = (
        invoker.invoke(&function.logical_id, event),
        function.timeout,
    );
    let running = tokio::spawn(tokio::time::timeout(own, invocation));
    let ended = match deadline {
        None => running.await,
        Some(deadline) => match tokio::time::timeout(deadline, running).await {
            Ok(ended) => ended,
            Err(_) => return Err(Failure::Deadline),
        },
    };
    let answer = match ended {
        Ok(Ok(Ok(answer))) => answer,
        Ok(Ok(Err(error))) => return Err(Failure::Function(error)),
        Ok(Err(_)) => {
            return Err(failed(
                "Sandbox.Timedout",
                format!("Task timed out after {:.2} seconds", own.as_secs_f64()),
            ));
        }
        Err(_) => {
            return Err(failed(
                "Runtime.ExitError",
                "Runtime exited with error".into(),
            ));
        }
    };
    if size(&answer) > ANSWER_LIMIT {
        let message =
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).";
        return Err(failed("Function.ResponseSizeTooLarge", message.into()));
    }
    Ok(answer)
}

fn failed(error_type: &str, message: String) -> Failure {
    Failure::Function(FunctionError {
        error_type: error_type.into(),
        message,
    })
}

/// The length of a value as JSON, counted without writing it.
fn size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // A value that is JSON already always serialises, and counting cannot fail.
    serde_json::to_writer(&mut count, value).map_or(0, |()| count.0)
}
