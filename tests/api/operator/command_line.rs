//! `latchkey` from a shell: the real program, with an environment of its own.

mod client;
mod doctor;
mod operator;

use std::{collections::BTreeMap, path::Path, process::Stdio};

use serde_json::Value;
use tests::Platform;
use tokio::process::Command;

pub(crate) use self::operator::operator as operator_of;

/// A shell with these variables and no others.
#[derive(Clone, Default)]
pub(crate) struct Shell(pub(crate) BTreeMap<String, String>);

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

fn command(variables: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey-process"));
    command
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

impl Shell {
    /// A shell that knows where the platform answers.
    pub(crate) fn at(platform: &Platform) -> Self {
        Self::default().with("LATCHKEY_URL", platform.stack.base_url())
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Outcome {
        let output = command(&self.0).args(arguments).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Outcome {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Outcome {
    /// The JSON of a success.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts a refusal with these words in it, which shows none of the shell's secrets.
    #[track_caller]
    pub(crate) fn assert_refused(&self, words: &[&str], shell: &Shell) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?}: {self:?}");
        }
        for name in ["LATCHKEY_TOKEN", "LATCHKEY_CLIENT_SECRET"] {
            let secret = shell.0.get(name).filter(|secret| secret.len() > 40);
            assert!(
                secret.is_none_or(|secret| !self.stderr.contains(&secret[secret.len() - 40..])),
                "{self:?}"
            );
        }
    }
}

pub(crate) fn path(directory: &Path) -> &str {
    directory.to_str().unwrap()
}
