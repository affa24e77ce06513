//! `latchkey peppers`: another pepper, and every hash brought under it (docs/peppers.md). No pepper
//! is ever printed.

use clap::{Args, Subcommand};
use operator::peppers::PepperRoll;
use runtime::StartError;

use crate::{output::print, place::Place};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Say which peppers there are, without their values, and how many hashes are under each
    List {
        #[command(flatten)]
        walk: Walk,
    },
    /// Draw another pepper: new secrets are hashed under it
    Add {
        #[command(flatten)]
        place: Place,
    },
    /// Bring every hash under the newest pepper; stopped half-way, it is run again
    Upgrade {
        #[command(flatten)]
        walk: Walk,
        /// Wait until every function can read the newest pepper, instead of saying how long that is
        #[arg(long)]
        wait: bool,
    },
}

#[derive(Args)]
pub(super) struct Walk {
    #[command(flatten)]
    place: Place,
    /// How many items of the table to look at in a second
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
}

impl Command {
    pub(super) async fn run(self) -> Result<(), StartError> {
        match self {
            Self::List {
                walk: Walk { place, rate },
            } => print(&work(&place, async |peppers: PepperRoll| peppers.list(rate).await).await?),
            Self::Add { place } => {
                print(&work(&place, async |peppers: PepperRoll| peppers.add().await).await?)
            }
            Self::Upgrade {
                walk: Walk { place, rate },
                wait,
            } => print(
                &work(&place, async |peppers: PepperRoll| {
                    peppers.upgrade(rate, wait).await
                })
                .await?,
            ),
        }
    }
}

async fn work<T>(
    place: &Place,
    act: impl AsyncFnOnce(PepperRoll) -> Result<T, StartError>,
) -> Result<T, StartError> {
    place
        .at("tokens", async |env, ambient| {
            act(PepperRoll::open(&env, &ambient)?).await
        })
        .await
}
