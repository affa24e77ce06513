//! The functions, in this process, called as Lambda calls them: an event goes in as JSON and an
//! answer comes out as JSON.

use std::{collections::BTreeMap, fmt, sync::Arc};

use emulator::gateway::{FunctionError, Invocation, Invoke};
use lambda_runtime::{Context, LambdaEvent};
use runtime::{Ambient, Env, StartError};
use sam::template::Description;
use serde_json::Value;
use tracing::Instrument;
use web::lambda::HttpFunction;

/// Every function of a template, started.
pub struct Functions(BTreeMap<String, Running>);

/// A started function, by what it is called with.
#[derive(Clone)]
enum Running {
    /// API Gateway requests.
    Http(HttpFunction),
    /// API Gateway authorizer events.
    Authorizer(Arc<authorizer::Authorizer>),
    /// Records of the audit table's stream.
    Audit(Arc<audit::Audit>),
    /// A schedule's events.
    Canary(Arc<canary::Canary>),
    /// A schedule's events, of which it reads nothing.
    Compactor(Arc<compactor::Compactor>),
}

impl Functions {
    /// Starts every function that the template names, each with the variables that the template
    /// gives it and, of what surrounds it, what it is given by its logical id.
    ///
    /// # Errors
    /// A binary that is none of ours, or a setting that is missing or wrong; the sentence names the
    /// function.
    pub async fn start<F>(description: &Description, ambient_of: F) -> Result<Self, StartError>
    where
        F: Fn(&str) -> Result<Ambient, StartError>,
    {
        let mut running = BTreeMap::new();
        for (name, function) in &description.functions {
            let env = Env::from_map(function.environment.clone());
            let ambient = ambient_of(name).map_err(|error| format!("{name}: {error}"))?;
            let started = start(&function.binary, &env, &ambient)
                .await
                .map_err(|error| format!("{name}: {error}"))?;
            running.insert(name.clone(), started);
        }
        Ok(Self(running))
    }
}

async fn start(binary: &str, env: &Env, ambient: &Ambient) -> Result<Running, StartError> {
    Ok(match binary {
        "management" => Running::Http(
            HttpFunction::start(management::start(env, ambient)?, env, ambient).await?,
        ),
        "tokens" => {
            Running::Http(HttpFunction::start(tokens::start(env, ambient)?, env, ambient).await?)
        }
        "sample-api" => Running::Http(
            HttpFunction::start(sample_api::start(env, ambient)?, env, ambient).await?,
        ),
        "authorizer" => Running::Authorizer(Arc::new(authorizer::start(env, ambient).await?)),
        "audit" => Running::Audit(Arc::new(audit::start(env, ambient)?)),
        "canary" => Running::Canary(Arc::new(canary::start(env, ambient)?)),
        "compactor" => Running::Compactor(Arc::new(compactor::start(env, ambient)?)),
        other => return Err(format!("there is no binary {other}").into()),
    })
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Invoke for Functions {
    fn invoke(&self, function: &str, event: Value) -> Invocation {
        let Some(running) = self.0.get(function).cloned() else {
            let message = format!("there is no function {function}");
            return Box::pin(async move {
                Err(FunctionError {
                    error_type: "ResourceNotFoundException".into(),
                    message,
                })
            });
        };
        // Their lines have one output here and a log group each on AWS: this says whose each is.
        let span = tracing::error_span!("function", function);
        let answer = async move {
            match running {
                Running::Http(function) => answer_request(function, event).await,
                Running::Authorizer(authorizer) => authorizer::handle(&authorizer, event)
                    .await
                    .map_err(|error| failed("Refused", &error)),
                Running::Audit(audit) => audit::handle(&audit, event)
                    .await
                    .map_err(|error| failed("Audit", &error)),
                Running::Canary(canary) => canary::handle(&canary, event)
                    .await
                    .map_err(|error| failed("Canary", &error)),
                Running::Compactor(compactor) => compactor::run(&compactor)
                    .await
                    .map_err(|error| failed("Compactor", &error)),
            }
        };
        Box::pin(answer.instrument(span))
    }
}

async fn answer_request(function: HttpFunction, event: Value) -> Result<Value, FunctionError> {
    // Its future is not Send: it is driven on a thread of its own, as an instance on Lambda has
    // one.
    let runtime = tokio::runtime::Handle::current();
    let span = tracing::Span::current();
    let answer = tokio::task::spawn_blocking(move || {
        let answer = function.answer(LambdaEvent::new(event, Context::default()));
        runtime.block_on(answer.instrument(span))
    });
    answer
        .await
        .map_err(|error| failed("Panic", &error))?
        .map_err(|error| failed("Handler", &error))
}

fn failed(error_type: &str, error: &dyn fmt::Display) -> FunctionError {
    FunctionError {
        error_type: error_type.to_owned(),
        message: error.to_string(),
    }
}
