//! The management function on Lambda.

#[tokio::main]
async fn main() -> Result<(), runtime::StartError> {
    web::lambda::run(|env, ambient| async move { management::start(&env, &ambient) }).await
}
