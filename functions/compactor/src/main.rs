//! The compactor on Lambda.

use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), runtime::StartError> {
    runtime::log::to_stdout();
    let compactor = compactor::start(&runtime::Env::process(), &runtime::Ambient::process().await)?;
    lambda_runtime::run(service_fn(async |_: LambdaEvent<serde_json::Value>| {
        compactor::run(&compactor).await
    }))
    .await
}
