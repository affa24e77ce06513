//! `latchkey`: the platform on a laptop. `latchkey --help` tells more.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    latchkey::run().await
}
