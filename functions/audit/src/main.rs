//! The audit consumer on Lambda.

use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), web::StartError> {
    web::log::to_stdout();
    let audit = audit::start(&web::Env::process(), &web::Edge::ambient().await)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<serde_json::Value>| audit::handle(&audit, event.payload).await))
        .await
}
