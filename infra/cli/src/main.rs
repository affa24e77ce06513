//! The command line. `latchkey --help` tells more.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    latchkey::run().await
}
