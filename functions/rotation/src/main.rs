//! The rotation function on Lambda, in a customer's account.

use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), runtime::StartError> {
    runtime::log::to_stdout();
    let rotation = rotation::start(&runtime::Env::process(), &runtime::Ambient::process().await)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
        rotation.handle(event.payload).await
    }))
    .await
}
