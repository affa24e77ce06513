//! The sample function on Lambda.

#[tokio::main]
async fn main() -> Result<(), runtime::StartError> {
    web::lambda::run(|env, edge| async move { sample_api::start(&env, &edge) }).await
}
