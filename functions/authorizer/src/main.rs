//! The authorizer on Lambda.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), runtime::StartError> {
    runtime::log::to_stdout();
    let authorizer =
        authorizer::start(&runtime::Env::process(), &runtime::Ambient::process().await).await?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        authorizer::handle(&authorizer, event.payload).await
    }))
    .await
}
