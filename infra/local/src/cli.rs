//! The command line.

use std::{
    collections::BTreeMap,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use domain::{gate::Kyb, ids::Guid, kind::Kind};
use web::StartError;

use crate::{
    cloud::Storage,
    seed::{self, Founder, Seed},
    stack::{Options, Services, Stack},
};

/// Latchkey on a laptop: the whole platform in one process, on embedded services.
#[derive(Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Args, Clone)]
struct Data {
    /// Where data is kept
    #[arg(long, default_value = ".latchkey", value_name = "DIR")]
    data_dir: PathBuf,
    /// Keep the tables in memory; seed.json is written to the data directory all the same
    #[arg(long)]
    ephemeral: bool,
}

#[derive(Args)]
struct Serve {
    /// The port to answer on; 0 for any free one
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Read this SAM template instead of the built-in one
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Give a template parameter another value
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = assignment)]
    parameters: Vec<(String, String)>,
}

#[derive(Subcommand)]
enum Command {
    /// Start the embedded services alone and print the environment by which functions reach them
    Services {
        #[command(flatten)]
        data: Data,
        /// Where the functions will answer: their issuer, and the `base_url` of seed.json
        #[arg(long, default_value = "http://127.0.0.1:9000", value_name = "URL")]
        base_url: String,
    },
    /// Make an organization with a key that holds the management scopes; the platform must not be running on this data
    Onboard {
        #[command(flatten)]
        data: Data,
        /// What people call the organization
        #[arg(long)]
        name: String,
        /// The kind of its first key: sandbox or live
        #[arg(long, default_value = "sandbox")]
        environment: Kind,
    },
    /// Decide an organization's KYB, which wakes its live keys or puts them to sleep; the platform must not be running on this data
    Kyb {
        #[command(flatten)]
        data: Data,
        /// The organization's guid
        #[arg(long)]
        organization: String,
        /// What was decided
        #[arg(long, value_parser = ["pending", "approved", "rejected"])]
        status: String,
    },
    /// Stop all keys and tokens of an organization; the platform must not be running on this data
    Suspend {
        #[command(flatten)]
        data: Data,
        /// The organization's guid
        #[arg(long)]
        organization: String,
    },
    /// Let a suspended organization work again; the platform must not be running on this data
    Resume {
        #[command(flatten)]
        data: Data,
        /// The organization's guid
        #[arg(long)]
        organization: String,
    },
}

fn assignment(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "is not NAME=VALUE".to_owned())
}

/// Does what the command line says.
pub async fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => serve(cli.data, cli.serve).await,
        Some(Command::Services { data, base_url }) => services(data, &base_url).await,
        Some(Command::Onboard { data, name, environment }) => onboard(data, &name, environment).await,
        Some(Command::Kyb { data, organization, status }) => kyb(data, &organization, &status).await,
        Some(Command::Suspend { data, organization }) => suspension(data, &organization, true).await,
        Some(Command::Resume { data, organization }) => suspension(data, &organization, false).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latchkey: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Data {
    fn storage(&self) -> Result<Storage, StartError> {
        // seed.json is in it, whatever the storage: for its owner alone.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.data_dir)
            .map_err(|error| format!("{}: {error}", self.data_dir.display()))?;
        Ok(if self.ephemeral { Storage::Memory } else { Storage::Directory(self.data_dir.clone()) })
    }
}

async fn serve(data: Data, serve: Serve) -> Result<(), StartError> {
    web::log::to_stderr();
    let mut options = Options {
        storage: data.storage()?,
        port: serve.port,
        parameters: serve.parameters.into_iter().collect(),
        ..Options::default()
    };
    if let Some(file) = serve.template {
        options.template = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let stack = Stack::start(options).await?;
    let seed = seed::ensure(stack.services(), stack.base_url(), &data.data_dir).await?;
    print!("{}", tour(&seed, &data.data_dir));
    interrupted().await?;
    eprintln!("latchkey: stopping");
    stack.stop().await
}

async fn services(data: Data, base_url: &str) -> Result<(), StartError> {
    web::log::to_stderr();
    let services = Services::start(Options { storage: data.storage()?, ..Options::default() }, base_url).await?;
    seed::ensure(&services, base_url, &data.data_dir).await?;
    for (name, value) in environment(&services) {
        println!("export {name}='{}'", value.replace('\'', r"'\''"));
    }
    interrupted().await?;
    services.stop().await;
    Ok(())
}

/// What functions that run elsewhere export: where the services are, and every function's variables together.
fn environment(services: &Services) -> BTreeMap<String, String> {
    let mut environment = services.cloud().environment();
    for binary in ["audit", "sample-api", "authorizer", "tokens", "management"] {
        environment.extend(services.variables(binary));
    }
    environment
}

async fn onboard(data: Data, name: &str, environment: Kind) -> Result<(), StartError> {
    let services = operate(&data).await?;
    let made = Founder::new(&services)?.organization(name, environment).await;
    services.stop().await;
    let (guid, key) = made?;
    println!("{}", serde_json::to_string_pretty(&serde_json::json!({"guid": guid, "key": key}))?);
    Ok(())
}

async fn kyb(data: Data, organization: &str, status: &str) -> Result<(), StartError> {
    let (organization, kyb) = (guid(organization)?, serde_json::from_value::<Kyb>(status.into())?);
    let services = operate(&data).await?;
    let decided = Founder::new(&services)?.kyb(organization, kyb).await;
    services.stop().await;
    decided
}

async fn suspension(data: Data, organization: &str, suspended: bool) -> Result<(), StartError> {
    let organization = guid(organization)?;
    let services = operate(&data).await?;
    let decided = Founder::new(&services)?.suspension(organization, suspended).await;
    services.stop().await;
    decided
}

/// The embedded services over this data, for the operator's commands; where they will answer does not matter to those.
async fn operate(data: &Data) -> Result<Services, StartError> {
    Services::start(Options { storage: data.storage()?, ..Options::default() }, "http://127.0.0.1:8787").await
}

fn guid(text: &str) -> Result<Guid, StartError> {
    text.parse().map_err(|problem| format!("--organization {problem}").into())
}

/// Waits for Ctrl-C, or for the signal by which a supervisor ends a process.
async fn interrupted() -> Result<(), StartError> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// The README's tour, over this data directory.
fn tour(seed: &Seed, directory: &Path) -> String {
    let seed_file = directory.join("seed.json");
    let block =
        include_str!("../../../README.md").split_once("<!-- tour -->\n```sh\n").and_then(|(_, rest)| rest.split_once("```"));
    let commands = block.map_or("", |(block, _)| block).replace(".latchkey/seed.json", &format!("'{}'", seed_file.display()));
    format!(
        "Latchkey answers at {}. Demo credentials are in {}. Ctrl-C stops it.\n\nA tour to paste into another shell; it needs curl:\n\n{commands}",
        seed.base_url,
        seed_file.display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tour_is_the_readme_s_over_the_data_directory() {
        let credentials = || seed::Credentials { client_id: String::new(), client_secret: String::new() };
        let seeded = || seed::Seeded { guid: String::new(), key: credentials() };
        let printed =
            tour(&Seed { base_url: "http://127.0.0.1:1".into(), organization: seeded(), bank: seeded() }, Path::new("/a b"));
        assert!(printed.contains("http://127.0.0.1:1") && printed.contains("< '/a b/seed.json'") && printed.contains("# => 204"));
    }
}
