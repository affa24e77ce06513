//! The management function on Lambda.

#[tokio::main]
async fn main() -> Result<(), runtime::StartError> {
    web::lambda::run(|env, edge| async move { management::start(&env, &edge) }).await
}
