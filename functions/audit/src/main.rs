//! The audit consumer on Lambda.

use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), runtime::StartError> {
    runtime::log::to_stdout();
    let audit = audit::start(&runtime::Env::process(), &runtime::Ambient::process().await)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
        audit::handle(&audit, event.payload).await
    }))
    .await
}
