//! Standard output, which nothing but the answer is written to.

use std::io::{self, Write};

use runtime::StartError;
use serde::Serialize;

/// Shows an answer as JSON.
pub(super) fn print(answer: &impl Serialize) -> Result<(), StartError> {
    writeln!(
        io::stdout().lock(),
        "{}",
        serde_json::to_string_pretty(answer)?
    )?;
    Ok(())
}
