//! Why a step was not taken. Secrets Manager tries any failure again; whoever reads the log learns
//! whether that can help.

use std::fmt;

use lambda_runtime::Diagnostic;

/// Why a step was not taken, in words that hold no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may succeed as it is, later.
    Temporary(String),
    /// Somebody has to do something.
    Final(String),
}

impl Failure {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Temporary(_) => "Temporary",
            Self::Final(_) => "Final",
        }
    }
}

/// Of a call of the deployment.
impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        if error.is_temporary() {
            Self::Temporary(error.to_string())
        } else {
            Self::Final(error.to_string())
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Temporary(words) | Self::Final(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Failure {}

/// As Lambda reports it: `errorType` tells the two apart.
impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self {
            error_type: failure.kind().to_owned(),
            error_message: failure.to_string(),
        }
    }
}
