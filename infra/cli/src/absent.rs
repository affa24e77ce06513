//! What a build without the feature `local` does not have, and how to get it.

use clap::Subcommand;
use runtime::StartError;

/// Follows the name of what is missing.
pub(super) const HOW_TO_GET_IT: &str = "needs the feature `local`, which this build leaves out: \
                                        build latchkey with its default features (`cargo install \
                                        --path infra/cli`)";

/// The commands of the platform on a laptop.
#[derive(Subcommand)]
pub(super) enum Command {
    #[command(hide = true)]
    Serve(Arguments),
    #[command(hide = true)]
    Services(Arguments),
    #[command(hide = true)]
    Openapi(Arguments),
}

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _any: Vec<String>,
}

impl Command {
    pub(super) fn run(&self) -> Result<(), StartError> {
        let name = match self {
            Self::Serve(_) => "serve",
            Self::Services(_) => "services",
            Self::Openapi(_) => "openapi",
        };
        Err(format!("{name} {HOW_TO_GET_IT}").into())
    }
}

/// Refuses `--data-dir`.
pub(super) fn data_dir(_: &str) -> Result<String, String> {
    Err(format!("a data directory {HOW_TO_GET_IT}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::Cli;

    #[test]
    fn each_command_that_is_left_out_says_how_to_get_it() {
        for command in [
            &["serve", "--port", "0"][..],
            &["services", "--base-url", "http://x"],
            &["openapi"],
        ] {
            let cli = Cli::try_parse_from(["latchkey"].iter().chain(command))
                .unwrap_or_else(|error| panic!("{error}"));
            let Some(crate::Command::Absent(absent)) = cli.command else {
                panic!("{command:?}")
            };
            let error = absent.run().unwrap_err().to_string();
            assert!(
                error.starts_with(command[0]) && error.contains("needs the feature `local`"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_data_directory_says_how_to_get_it() {
        for command in [
            &["doctor"][..],
            &["peppers", "add"],
            &["onboard", "--name", "x"],
        ] {
            let arguments = ["latchkey"]
                .iter()
                .chain(command)
                .chain(&["--data-dir", "x"]);
            let Err(error) = Cli::try_parse_from(arguments) else {
                panic!("{command:?}")
            };
            assert!(
                error.to_string().contains("needs the feature `local`"),
                "{error}"
            );
        }
    }
}
