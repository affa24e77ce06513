//! The sample function on Lambda.

#[tokio::main]
async fn main() -> Result<(), runtime::StartError> {
    web::lambda::run(|env, ambient| async move { sample_api::start(&env, &ambient) }).await
}
