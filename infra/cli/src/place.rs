//! Where the operator's commands work: in a deployed stack or, with the feature `local`, on a
//! laptop's data directory.

#[cfg(feature = "local")]
use std::path::PathBuf;

use clap::Args;
use runtime::{Ambient, Env, SettingError, StartError};

/// Where the tables are.
#[derive(Args)]
pub(super) struct Place {
    /// The data directory to work on; the platform must not be running on it
    #[cfg(feature = "local")]
    #[arg(long, default_value = ".latchkey", value_name = "DIR")]
    data_dir: PathBuf,
    #[cfg(not(feature = "local"))]
    #[arg(long, hide = true, value_parser = crate::absent::data_dir)]
    data_dir: Option<String>,
    /// Work on the deployed stack that the environment names (the stack's output
    /// `OperatorEnvironment`), by your AWS credentials
    #[arg(long, conflicts_with = "data_dir")]
    deployed: bool,
    /// A template parameter that the platform on this data directory is started with
    #[cfg(feature = "local")]
    #[arg(
        long = "parameter",
        value_name = "NAME=VALUE",
        value_parser = crate::arguments::assignment,
        conflicts_with = "deployed"
    )]
    parameters: Vec<(String, String)>,
}

impl Place {
    /// Acts where this says, by the variables of the function that runs `binary`.
    #[cfg_attr(
        not(feature = "local"),
        expect(
            unused_variables,
            reason = "a deployed stack names its variables itself"
        )
    )]
    pub(super) async fn at<T>(
        &self,
        binary: &str,
        act: impl AsyncFnOnce(Env, Ambient) -> Result<T, StartError>,
    ) -> Result<T, StartError> {
        if self.deployed {
            return deployed(act).await;
        }
        #[cfg(feature = "local")]
        return self.on_the_laptop(binary, act).await;
        #[cfg(not(feature = "local"))]
        Err(format!(
            "name the place by --deployed; a data directory {}",
            crate::absent::HOW_TO_GET_IT
        )
        .into())
    }

    #[cfg(feature = "local")]
    async fn on_the_laptop<T>(
        &self,
        binary: &str,
        act: impl AsyncFnOnce(Env, Ambient) -> Result<T, StartError>,
    ) -> Result<T, StartError> {
        use local::{
            seed,
            services::{Options, Services, Storage},
        };

        let storage = Storage::Directory(crate::serve::directory(&self.data_dir)?);
        let options = Options {
            storage,
            parameters: self.parameters.iter().cloned().collect(),
            ..Options::default()
        };
        // Where the gateway will answer does not matter to these commands.
        let services = Services::start(options, "http://127.0.0.1:8787").await?;
        let done = Box::pin(act(services.env(binary), services.ambient().clone())).await;
        services.stop().await;
        done.map_err(|error| seed::explain(&self.data_dir, error))
    }
}

async fn deployed<T>(
    act: impl AsyncFnOnce(Env, Ambient) -> Result<T, StartError>,
) -> Result<T, StartError> {
    let done = Box::pin(act(Env::process(), Ambient::process().await)).await;
    done.map_err(|error| match error.downcast_ref::<SettingError>() {
        Some(unnamed) => format!(
            "{unnamed}: --deployed needs the stack's output OperatorEnvironment in the environment"
        )
        .into(),
        None => error,
    })
}
