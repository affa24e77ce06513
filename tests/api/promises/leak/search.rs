//! What was logged and what was written, and the search through it for secrets and tokens in every
//! spelling.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use runtime::log::Redacting;
use tracing_subscriber::{EnvFilter, fmt::writer::MakeWriterExt};

/// What everything in this process logged, ours at its most talkative: as it was said, and as it
/// leaves the process.
pub(crate) struct Logs {
    pub(super) said: Lines,
    pub(crate) written: Lines,
}

#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Functions run on threads of their own, so the subscriber must be the process's: other tests'
/// lines are here too.
pub(crate) fn logs() -> &'static Logs {
    static LOGS: OnceLock<Logs> = OnceLock::new();
    LOGS.get_or_init(|| {
        let logs = Logs {
            said: Lines::default(),
            written: Lines::default(),
        };
        let (said, written) = (logs.said.clone(), logs.written.clone());
        let writer = (move || said.clone()).and(Redacting(move || written.clone()));
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(EnvFilter::new(every_crate_of_ours_at_trace()));
        let installed =
            tracing::subscriber::set_global_default(subscriber.with_writer(writer).finish());
        installed.expect("no other test takes the process's logs");
        logs
    })
}

/// The crates are those of the workspace, so that a new one is searched as well.
fn every_crate_of_ours_at_trace() -> String {
    let manifest = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
    let crates: Vec<String> = manifest
        .lines()
        .filter_map(|line| line.split_once(" = { path = "))
        .map(|(name, _)| format!("{}=trace", name.replace('-', "_")))
        .collect();
    assert!(crates.len() >= 20, "{crates:?}");
    format!("info,tests=trace,{}", crates.join(","))
}

/// What must not be found, in every spelling that something could have written it in.
/// By how they start, so that one pass looks for all of them.
#[derive(Default)]
pub(super) struct Needles(HashMap<Vec<u8>, Vec<(String, Vec<u8>)>>);

/// Bytes by which a needle is looked up.
const START: usize = 12;

impl Needles {
    /// In any case: what upper-cases a header would hide it.
    pub(super) fn add(&mut self, what: &str, spelling: &str, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref().to_ascii_lowercase();
        self.0
            .entry(bytes[..START].to_vec())
            .or_default()
            .push((format!("{what} {spelling}"), bytes));
    }

    pub(super) fn secret(&mut self, what: &str, secret: &str) {
        let random = &secret[secret.len() - 49..secret.len() - 6];
        self.add(what, "in plain", random);
        self.add(what, "in hex", hex(random.as_bytes()));
        self.base64(what, secret.as_bytes());
    }

    /// The signature makes a token one; without it the rest says nothing that is secret.
    pub(super) fn token(&mut self, what: &str, token: &str) {
        let signature = token.rsplit('.').next().unwrap();
        self.add(what, "in plain", signature);
        self.base64(what, signature.as_bytes());
    }

    /// The bits that a secret spells.
    pub(super) fn bits(&mut self, bits: &[u8]) {
        self.add("a secret's random bits", "as they are", bits);
        self.add("a secret's random bits", "in hex", hex(bits));
        self.add(
            "a secret's random bits",
            "in base64",
            STANDARD_NO_PAD.encode(bits),
        );
        self.add(
            "a secret's random bits",
            "in base64url",
            URL_SAFE_NO_PAD.encode(bits),
        );
    }

    /// Base64 of the text wherever it stands in what was encoded.
    fn base64(&mut self, what: &str, text: &[u8]) {
        for before in 0..3 {
            let whole = STANDARD_NO_PAD.encode([&vec![0; before][..], text].concat());
            // The first characters carry bits of what stands before, the last of what stands
            // behind.
            self.add(
                what,
                "in base64",
                &whole[before.div_ceil(3) * 4..whole.len() - 2],
            );
        }
    }

    /// Which of them stand in the bytes.
    pub(super) fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let bytes = bytes.to_ascii_lowercase();
        let mut found: Vec<&str> = Vec::new();
        for (at, window) in bytes.windows(START).enumerate() {
            for (what, needle) in self.0.get(window).into_iter().flatten() {
                if bytes[at..].starts_with(needle) && !found.contains(&what.as_str()) {
                    found.push(what);
                }
            }
        }
        found
    }

    /// The log lines in which one of them stands.
    pub(super) fn lines_of(&self, log: &[u8]) -> Vec<String> {
        let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        log.split(|byte| *byte == b'\n')
            .filter(|line| !self.found_in(line).is_empty())
            .map(text)
            .collect()
    }

    /// Which of them stand in which file below a directory.
    pub(super) fn found_below(&self, directory: &Path) -> Vec<(String, &str)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(self.found_below(&path));
            } else {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                found.extend(
                    self.found_in(&fs::read(&path).unwrap())
                        .into_iter()
                        .map(|what| (name.clone(), what)),
                );
            }
        }
        found
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
