//! Logs as JSON lines on standard output, in which no secret and no token can stand (LEAK-1):
//! whatever has the form of one is replaced where the line leaves the process, however it got
//! there.

use std::{
    borrow::Cow,
    io::{self, Write},
    panic::PanicHookInfo,
    sync::LazyLock,
};

use regex::bytes::Regex;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// A secret of any brand, or a JWT: two base64url parts that begin as JSON objects do, and whatever
/// follows. In any case, since a gateway upper-cases what `X-HTTP-Method-Override` says, and most
/// of a secret survives that.
static SENSITIVE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)[a-z]{2,12}_(?:live|test)_[0-9a-z]{43,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?";
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("the test below compiles it: {error}"))
});

/// The text with every secret and token replaced.
#[must_use]
pub fn redact(text: &[u8]) -> Cow<'_, [u8]> {
    SENSITIVE.replace_all(text, b"[redacted]".as_slice())
}

/// Logs to standard output, where Lambda collects it, at the levels of `RUST_LOG` (default `info`;
/// of the embedded tables only errors). A second call changes nothing.
pub fn to_stdout() {
    to(io::stdout);
}

/// Logs to standard error, as [`to_stdout`] does, for a program whose output is for people.
pub fn to_stderr() {
    to(io::stderr);
}

fn to<M: for<'a> MakeWriter<'a> + Send + Sync + 'static>(writer: M) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,dynoxide=error"));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(Redacting(writer))
        .finish();
    // A second one is refused, and the first goes on.
    drop(tracing::subscriber::set_global_default(subscriber));
    std::panic::set_hook(Box::new(log_panic));
}

/// Where it happened, and not what it says: the words of a panic may hold anything, unless they are
/// a literal, and Rust's own hook writes them past the redaction.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    // A literal of the source has no data in it.
    let words = panic.payload().downcast_ref::<&'static str>();
    tracing::error!(location, words, "panicked");
}

/// Makes writers that redact each line before it goes to a writer of `M`.
pub struct Redacting<M>(pub M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Redacting<M> {
    type Writer = RedactingWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        RedactingWriter(self.0.make_writer())
    }
}

/// Redacts what passes. A formatted event arrives in one piece.
pub struct RedactingWriter<W>(W);

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&redact(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leak_1_secrets_and_tokens_do_not_pass() {
        let secret = format!("lk_test_{}", "a1B".repeat(24));
        for text in [
            format!("Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwIn0.c2ln {secret}"),
            secret.clone(),
        ] {
            let redacted = String::from_utf8(redact(text.as_bytes()).into_owned()).unwrap();
            assert!(
                !redacted.contains("eyJ") && !redacted.contains("a1B"),
                "{redacted}"
            );
        }
        assert_eq!(
            redact(format!("x{}", secret.to_uppercase()).as_bytes()).as_ref(),
            b"[redacted]"
        );
        assert_eq!(redact(b"GET /api/banks").as_ref(), b"GET /api/banks");
    }
}
