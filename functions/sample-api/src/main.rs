//! The sample function on Lambda.

#[tokio::main]
async fn main() -> Result<(), web::StartError> {
    web::lambda::run(|env, edge| async move { sample_api::start(&env, &edge) }).await
}
