//! The platform on a laptop, and its embedded services alone.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use clap::Args;
use local::{
    environment,
    seed::{self, Seed},
    services::{self, Options, Storage},
    stack::Stack,
};
use runtime::StartError;

use crate::arguments::assignment;

#[derive(Args)]
struct Data {
    /// Where data is kept
    #[arg(long, default_value = ".latchkey", value_name = "DIR")]
    data_dir: PathBuf,
    /// Keep the tables in memory; seed.json is written to the data directory all the same
    #[arg(long)]
    ephemeral: bool,
}

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    data: Data,
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

#[derive(Args)]
pub(super) struct Services {
    #[command(flatten)]
    data: Data,
    /// Where the functions will answer: their issuer, and the `base_url` of seed.json
    #[arg(long, default_value = "http://127.0.0.1:9000", value_name = "URL")]
    base_url: String,
}

/// A data directory, which has seed.json in it whatever the storage: for its owner alone.
pub(super) fn directory(path: &Path) -> Result<PathBuf, StartError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path.to_owned())
}

impl Data {
    fn storage(&self) -> Result<Storage, StartError> {
        let directory = directory(&self.data_dir)?;
        Ok(if self.ephemeral {
            Storage::Memory
        } else {
            Storage::Directory(directory)
        })
    }
}

impl Serve {
    pub(super) async fn run(self) -> Result<(), StartError> {
        runtime::log::to_stderr();
        let mut options = Options {
            storage: self.data.storage()?,
            port: self.port,
            parameters: self.parameters.into_iter().collect(),
            ..Options::default()
        };
        if let Some(file) = self.template {
            options.template = std::fs::read_to_string(&file)
                .map_err(|error| format!("{}: {error}", file.display()))?;
        }
        let stack = Stack::start(options).await?;
        let seed = seed::ensure(stack.services(), stack.base_url(), &self.data.data_dir).await?;
        environment::write(
            &self.data.data_dir,
            &stack.services().environment(stack.base_url()),
        )?;
        print!("{}", tour(&seed, &self.data.data_dir));
        interrupted().await?;
        eprintln!("latchkey: stopping");
        stack.stop().await
    }
}

impl Services {
    pub(super) async fn run(self) -> Result<(), StartError> {
        runtime::log::to_stderr();
        let options = Options {
            storage: self.data.storage()?,
            ..Options::default()
        };
        let services = services::Services::start(options, &self.base_url).await?;
        seed::ensure(&services, &self.base_url, &self.data.data_dir).await?;
        print!(
            "{}",
            environment::commands(&services.environment_of_every_function(&self.base_url))
        );
        interrupted().await?;
        services.stop().await;
        Ok(())
    }
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
    let block = include_str!("../../../README.md")
        .split_once("<!-- tour -->\n```sh\n")
        .and_then(|(_, rest)| rest.split_once("```"));
    let commands = block
        .map_or("", |(block, _)| block)
        .replace(".latchkey/seed.json", &format!("'{}'", seed_file.display()));
    format!(
        "Latchkey answers at {}. Demo credentials are in {}. Ctrl-C stops it.\n\nA tour to paste \
         into another shell; it needs curl:\n\n{commands}",
        seed.base_url,
        seed_file.display(),
    )
}

#[cfg(test)]
mod tests {
    use operator::tenants::Credentials;
    use seed::{Person, Seeded, Staff, Users};

    use super::*;

    #[test]
    fn the_tour_is_the_readme_s_over_the_data_directory() {
        let credentials = || Credentials {
            client_id: String::new(),
            client_secret: String::new(),
        };
        let seeded = || Seeded {
            guid: String::new(),
            key: credentials(),
        };
        let person = || Person {
            guid: String::new(),
            secret: String::new(),
        };
        let seed = Seed {
            base_url: "http://127.0.0.1:1".into(),
            organization: seeded(),
            bank: seeded(),
            users: Users {
                owner: person(),
                developer: person(),
                viewer: person(),
            },
            staff: Staff {
                support: person(),
                security: person(),
                operations: person(),
            },
        };
        let printed = tour(&seed, Path::new("/a b"));
        assert!(
            printed.contains("http://127.0.0.1:1")
                && printed.contains("< '/a b/seed.json'")
                && printed.contains("# => 204")
        );
    }
}
