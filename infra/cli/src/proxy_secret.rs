//! `latchkey proxy-secret`: rotates the proof of the trusted proxy. `LATCHKEY_TRUSTED_PROXY_SECRET`
//! names the secret, as the stack's output `OperatorEnvironment` says it. What is drawn is never
//! printed: `CloudFormation` hands it to the proxy.

use clap::Subcommand;
use credentials::ProofSecret;
use runtime::{Ambient, Env, StartError};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Say which proofs the secret holds, without their values
    Status,
    /// Draw a new proof; the current one stays right beside it
    Rotate,
    /// Drop the previous proof, once the proxy sends the new one everywhere
    Finish,
}

impl Command {
    pub(super) async fn run(self) -> Result<(), StartError> {
        let ambient = Ambient::process().await;
        let secret = ProofSecret::open(&Env::process(), &ambient)?;
        let held = match self {
            Self::Status => secret.held().await,
            Self::Rotate => secret.rotate(&ambient.entropy).await,
            Self::Finish => secret.finish().await,
        };
        println!("{}", serde_json::to_string_pretty(&held?)?);
        Ok(())
    }
}
