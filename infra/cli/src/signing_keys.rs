//! `latchkey signing-keys`: each step of a signing key's roll (docs/signing-keys.md).

use clap::{Args, Subcommand};
use domain::{key_mode::KeyMode, signing};
use operator::signing_keys::{Early, SigningKeys};
use runtime::StartError;

use crate::{output::print, place::Place};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Say which keys there are, which one signs, and when the next step may be taken
    List {
        #[command(flatten)]
        place: Place,
        /// sandbox or live; both unless named
        #[arg(long)]
        kind: Option<KeyMode>,
    },
    /// Publish a new key, so that every verifier learns of it before it signs
    Publish {
        #[command(flatten)]
        place: Place,
        /// sandbox or live
        #[arg(long)]
        kind: KeyMode,
        /// The KMS key, by id or ARN; needed where the stack has several that are not published
        #[arg(long, value_name = "ARN")]
        key: Option<String>,
    },
    /// Have a published key sign from now on, once every verifier has it
    Sign {
        #[command(flatten)]
        step: Step,
    },
    /// Withdraw a key for good, once every token that it signed is over
    Retire {
        #[command(flatten)]
        step: Step,
    },
}

#[derive(Args)]
pub(super) struct Step {
    #[command(flatten)]
    place: Place,
    /// sandbox or live
    #[arg(long)]
    kind: KeyMode,
    /// The key's name in the JWKS document; needed where there are several to choose from, and to
    /// retire one that never signed
    #[arg(long, allow_hyphen_values = true)]
    kid: Option<String>,
    /// Wait until it is time, instead of saying how long that is
    #[arg(long, conflicts_with = "now")]
    wait: bool,
    /// Do not wait: an emergency
    #[arg(long)]
    now: bool,
    /// Take what --now costs
    #[arg(long, requires = "now")]
    yes: bool,
}

impl Command {
    pub(super) async fn run(self) -> Result<(), StartError> {
        match self {
            Self::List { place, kind } => {
                let list = async |keys: SigningKeys| {
                    let mut statuses = Vec::new();
                    for kind in kind.map_or_else(|| KeyMode::ALL.to_vec(), |kind| vec![kind]) {
                        statuses.extend(keys.list(kind).await?);
                    }
                    Ok(statuses)
                };
                print(&work(&place, list).await?)
            }
            Self::Publish { place, kind, key } => print(
                &work(&place, async |keys: SigningKeys| {
                    keys.publish(kind, key.as_deref()).await
                })
                .await?,
            ),
            Self::Sign { step } => {
                let early = step.early(&format!(
                    "whoever keeps the JWKS document refuses the new key's tokens for up to {} s; \
                     this stack's own authorizers do not",
                    (signing::JWKS_TTL + signing::JWKS_MAX_AGE).as_secs()
                ))?;
                let Step {
                    place, kind, kid, ..
                } = step;
                print(
                    &work(&place, async |keys: SigningKeys| {
                        keys.sign(kind, kid.as_deref(), early).await
                    })
                    .await?,
                )
            }
            Self::Retire { step } => {
                let early = step.early(&format!(
                    "every token that the key signed dies within {} s, and clients must get new \
                     ones",
                    signing::TRUST_TTL.as_secs()
                ))?;
                let Step {
                    place, kind, kid, ..
                } = step;
                print(
                    &work(&place, async |keys: SigningKeys| {
                        keys.retire(kind, kid.as_deref(), early).await
                    })
                    .await?,
                )
            }
        }
    }
}

impl Step {
    fn early(&self, cost: &str) -> Result<Early, StartError> {
        match (self.now, self.wait) {
            (true, _) if self.yes => Ok(Early::Now),
            (true, _) => Err(format!("--now: {cost}. Say --yes as well if that is meant").into()),
            (false, true) => Ok(Early::Wait),
            (false, false) => Ok(Early::Refuse),
        }
    }
}

async fn work<T>(
    place: &Place,
    act: impl AsyncFnOnce(SigningKeys) -> Result<T, StartError>,
) -> Result<T, StartError> {
    place
        .at("tokens", async |env, ambient| {
            act(SigningKeys::open(&env, &ambient)?).await
        })
        .await
}
