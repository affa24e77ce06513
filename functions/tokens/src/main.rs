//! The token function on Lambda.

#[tokio::main]
async fn main() -> Result<(), runtime::StartError> {
    web::lambda::run(|env, edge| async move { tokens::start(&env, &edge) }).await
}
