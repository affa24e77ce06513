//! The token function on Lambda.

#[tokio::main]
async fn main() -> Result<(), runtime::StartError> {
    web::lambda::run(|env, ambient| async move { tokens::start(&env, &ambient) }).await
}
