//! The command line: the platform on a laptop, the operator's commands, and a client of any
//! deployment.

#[cfg(not(feature = "local"))]
mod absent;
mod arguments;
mod canary;
mod client;
mod doctor;
mod keys;
mod limits;
mod onboarding;
mod output;
mod peppers;
mod place;
mod proxy_secret;
#[cfg(feature = "local")]
mod serve;
mod signing_keys;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Latchkey: the operator's commands, and a client of any deployment.
#[derive(Parser)]
#[cfg_attr(
    feature = "local",
    doc = "",
    doc = "Without a command it starts the whole platform in one process on a laptop."
)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[cfg(feature = "local")]
    #[command(flatten)]
    serve: serve::Serve,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(not(feature = "local"))]
    #[command(flatten)]
    Absent(absent::Command),
    /// Start the embedded services alone and print the environment by which functions reach them
    #[cfg(feature = "local")]
    Services(serve::Services),
    /// Look at a deployed stack from outside and inside, and say what is wrong (docs/doctor.md)
    Doctor(doctor::Doctor),
    /// Make a key, use it, revoke it, and measure until when it was let in (docs/canary.md)
    Canary(canary::Canary),
    /// Print the `OpenAPI` document, which infra/openapi.json keeps
    #[cfg(feature = "local")]
    Openapi,
    /// Rotate what a proxy in front of a deployed API proves itself by (docs/proxy.md), by your AWS
    /// credentials
    #[command(subcommand)]
    ProxySecret(proxy_secret::Command),
    /// Roll the keys that sign tokens (docs/signing-keys.md)
    #[command(subcommand)]
    SigningKeys(signing_keys::Command),
    /// Roll the pepper under which secrets are hashed (docs/peppers.md)
    #[command(subcommand)]
    Peppers(peppers::Command),
    #[command(flatten)]
    Onboarding(onboarding::Command),
    #[command(flatten)]
    Client(client::Command),
}

/// Does what the command line says.
pub async fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        #[cfg(feature = "local")]
        None => cli.serve.run().await,
        #[cfg(not(feature = "local"))]
        None => Err(format!(
            "name a command (--help lists them); serving {}",
            absent::HOW_TO_GET_IT
        )
        .into()),
        #[cfg(not(feature = "local"))]
        Some(Command::Absent(command)) => command.run(),
        #[cfg(feature = "local")]
        Some(Command::Services(services)) => services.run().await,
        Some(Command::Canary(canary)) => canary.run().await,
        Some(Command::Doctor(doctor)) => doctor.run().await,
        #[cfg(feature = "local")]
        Some(Command::Openapi) => {
            print!("{}", local::openapi::document());
            Ok(())
        }
        Some(Command::ProxySecret(command)) => command.run().await,
        Some(Command::SigningKeys(command)) => command.run().await,
        Some(Command::Peppers(command)) => command.run().await,
        Some(Command::Onboarding(command)) => command.run().await,
        Some(Command::Client(command)) => command.run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latchkey: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// `ps` shows the arguments of every process to every user of the machine.
    #[test]
    fn no_argument_takes_a_secret() {
        fn arguments(command: &clap::Command) -> Vec<String> {
            let own = command
                .get_arguments()
                .map(|argument| argument.get_id().to_string());
            own.chain(command.get_subcommands().flat_map(arguments))
                .collect()
        }
        let arguments = arguments(&Cli::command());
        assert!(arguments.len() > 20, "{arguments:?}");
        let secret = |name: &String| {
            ["secret", "token", "password"]
                .iter()
                .any(|word| name.contains(word))
        };
        assert!(!arguments.iter().any(secret), "{arguments:?}");
    }
}
