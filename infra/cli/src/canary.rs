//! `latchkey canary`: one round of the canary from a shell, with any deployment.

use canary::{Key, Target};
use clap::Args;
use runtime::{
    Ambient, Entropy, Env, StartError,
    ambient::{SdkConfig, system_clock},
};

use crate::output::print;

#[derive(Args)]
pub(super) struct Canary {
    /// Where the deployment answers; `LATCHKEY_URL` where it is left out
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// What is called with the key; `LATCHKEY_CANARY_PATH`, else /v1/whoami, where it is left out
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
}

impl Canary {
    pub(super) async fn run(self) -> Result<(), StartError> {
        let mut env = Env::process();
        for (name, given) in [
            ("LATCHKEY_URL", self.url),
            ("LATCHKEY_CANARY_PATH", self.path),
        ] {
            if let Some(given) = given {
                env = env.with(name, &given);
            }
        }
        let target = Target::of(&env)?;
        let key = Key {
            client_id: env.required("LATCHKEY_CLIENT_ID")?.to_owned(),
            client_secret: env.required("LATCHKEY_CLIENT_SECRET")?.to_owned().into(),
        };
        // It calls nothing of AWS.
        let ambient = Ambient {
            clock: system_clock(),
            entropy: Entropy::system(),
            aws: SdkConfig::builder().build(),
        };
        let round = canary::round(&target, key, &ambient).await;
        print(&round.json())?;
        match (&round.failure, round.is_sound()) {
            (Some(failure), _) => Err(format!("the canary's round failed: {failure}").into()),
            (None, false) => Err(format!(
                "a revoked key was let in past the bound of {} s",
                canary::BOUND / 1000
            )
            .into()),
            (None, true) => Ok(()),
        }
    }
}
