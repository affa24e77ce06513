//! The rotation function on Lambda, in a customer's account.

use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), web::StartError> {
    web::log::to_stdout();
    let rotation = rotation::start(&web::Env::process(), &web::Edge::ambient().await)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<serde_json::Value>| rotation.handle(event.payload).await)).await
}
