//! `latchkey doctor`: what is wrong with a deployed stack.

#[cfg(feature = "local")]
use std::path::PathBuf;
use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use operator::doctor::{self, Options};
use runtime::{Ambient, Env, StartError};

/// What tells that the environment names a stack.
const MARK: &str = "LATCHKEY_REST_API_ID";

#[derive(Args)]
pub(super) struct Doctor {
    /// Look at the deployed stack that the environment names (the stack's output
    /// `OperatorEnvironment`), by your AWS credentials
    #[arg(long, conflicts_with = "data_dir")]
    deployed: bool,
    /// Where the local stack keeps its data, while it runs; looked at unless the environment names
    /// a stack
    #[cfg(feature = "local")]
    #[arg(long, default_value = ".latchkey", value_name = "DIR")]
    data_dir: PathBuf,
    #[cfg(not(feature = "local"))]
    #[arg(long, hide = true, value_parser = crate::absent::data_dir)]
    data_dir: Option<String>,
    /// Where the deployment answers, when that is not `LATCHKEY_URL` yet
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
    /// How many seconds a line of the access log is waited for
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    patience: u64,
}

impl Doctor {
    pub(super) async fn run(self) -> Result<(), StartError> {
        let (env, ambient) = self.place().await?;
        let options = Options {
            url: self.url,
            patience: Duration::from_secs(self.patience),
        };
        let report = doctor::examine(&env, &ambient, &options).await?;
        let shown = if self.json {
            format!("{:#}\n", report.json())
        } else {
            report.to_string()
        };
        io::stdout().lock().write_all(shown.as_bytes())?;
        if report.is_sound() {
            Ok(())
        } else {
            Err("something is wrong with this stack".into())
        }
    }

    /// The variables, and AWS as they have it.
    async fn place(&self) -> Result<(Env, Ambient), StartError> {
        let env = Env::process();
        if self.deployed || env.optional(MARK).is_some() {
            return Ok((env, Ambient::process().await));
        }
        #[cfg(feature = "local")]
        return self.laptop(&env);
        #[cfg(not(feature = "local"))]
        Err(format!("no stack is named by {MARK} (the stack's output OperatorEnvironment)").into())
    }

    #[cfg(feature = "local")]
    fn laptop(&self, env: &Env) -> Result<(Env, Ambient), StartError> {
        use local::{aws, environment};

        let file = self.data_dir.join(environment::FILE);
        let nowhere = |error| {
            let file = file.display();
            format!(
                "no stack is named: neither by {MARK} (the stack's output OperatorEnvironment) nor \
                 by {file} of a local one: {error}"
            )
        };
        let mut variables = environment::parse(&std::fs::read_to_string(&file).map_err(nowhere)?);
        for name in ["LATCHKEY_CLIENT_ID", "LATCHKEY_CLIENT_SECRET"] {
            variables.extend(
                env.optional(name)
                    .map(|value| (name.to_owned(), value.to_owned())),
            );
        }
        let ambient = Ambient {
            clock: runtime::ambient::system_clock(),
            entropy: runtime::Entropy::system(),
            aws: aws::config(&variables, None),
        };
        Ok((Env::from_map(variables), ambient))
    }
}
