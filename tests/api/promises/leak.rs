//! LEAK-1: no plaintext secret in any table, log, error or file. One full run, good and bad, then a
//! search through every byte that the system wrote for every secret and token that it handed out.

mod misplaced_secrets;
mod printing;
mod runs;
mod search;
mod stored_texts;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use emulator::cloud::Storage;
use local::services::Options;
use runtime::Entropy;
use tests::Platform;

pub(crate) use self::search::{Logs, logs};
use self::{
    runs::{HandedOut, bad_run, good_run},
    search::{Needles, hex},
};

/// An entropy that remembers the bits of every secret.
fn remembering() -> (Entropy, Arc<Mutex<Vec<Vec<u8>>>>) {
    let (system, drawn) = (Entropy::system(), Arc::new(Mutex::new(Vec::new())));
    let memory = drawn.clone();
    let entropy = Entropy::from_fn(move |bytes| {
        bytes.copy_from_slice(&system.secret()[..bytes.len()]);
        if bytes.len() == 32 {
            memory.lock().unwrap().push(bytes.to_vec());
        }
    });
    (entropy, drawn)
}

#[tokio::test]
async fn leak_1_nothing_that_was_written_holds_a_secret_or_token() {
    let logs = logs();
    let directory = tempfile::tempdir().unwrap();
    let (entropy, drawn) = remembering();
    let storage = Storage::Directory(directory.path().to_owned());
    let platform = Platform::with(Options {
        storage,
        entropy,
        ..Options::default()
    })
    .await;
    let (mut handed_out, mut needles) = (HandedOut::default(), Needles::default());
    good_run(&platform, &mut handed_out).await;
    assert!(handed_out.keys.len() >= 6 && handed_out.tokens.len() >= 24);
    for secret in handed_out
        .keys
        .iter()
        .map(|key| &key.client_secret)
        .chain(&handed_out.secrets)
    {
        needles.secret("a secret", secret);
    }
    for token in &handed_out.tokens {
        needles.token("a token", token);
    }
    let drawn = drawn.lock().unwrap().clone();
    assert_eq!(
        drawn.len(),
        handed_out.keys.len() + handed_out.secrets.len(),
        "every secret's bits are known"
    );
    for bits in &drawn {
        needles.bits(bits);
    }
    bad_run(&platform, &handed_out, &needles).await;

    platform.drain().await;
    assert_eq!(
        needles.found_below(directory.path()),
        [],
        "while it runs, with the write-ahead log"
    );
    platform.stop().await;
    assert_eq!(
        needles.found_below(directory.path()),
        [],
        "after it stopped"
    );
    let (said, written) = (logs.said.bytes(), logs.written.bytes());
    assert_eq!(
        needles.lines_of(&said),
        Vec::<String>::new(),
        "said, though it would not have been written"
    );
    assert_eq!(needles.lines_of(&written), Vec::<String>::new(), "written");

    assert_search_finds(&handed_out, &needles, &drawn, directory.path(), &written);
    tracing::info!(
        planted = handed_out.keys[1].client_secret,
        "a control of the leak test"
    );
    assert_eq!(needles.lines_of(&logs.said.bytes()).len(), 1);
    let written = logs.written.bytes();
    assert_eq!(needles.lines_of(&written), Vec::<String>::new());
    assert!(String::from_utf8_lossy(&written).contains(r#""planted":"[redacted]""#));
}

/// The same search finds what is there: the run's names in the tables, its refusals in the logs,
/// and what is planted.
fn assert_search_finds(
    handed_out: &HandedOut,
    needles: &Needles,
    drawn: &[Vec<u8>],
    directory: &Path,
    written: &[u8],
) {
    let mut controls = Needles::default();
    controls.add("a name", "in plain", "the name that is kept");
    assert!(
        controls
            .found_below(directory)
            .iter()
            .any(|(file, _)| file.starts_with("dynamodb"))
    );
    let mut controls = Needles::default();
    controls.add("a refused key", "in plain", &handed_out.keys[3].client_id);
    assert!(!controls.found_in(written).is_empty());
    for (planted, what) in [
        (
            handed_out.keys[2].client_secret.clone().into_bytes(),
            "a secret in plain",
        ),
        (
            handed_out.keys[2].client_secret.to_uppercase().into_bytes(),
            "a secret in plain",
        ),
        (
            STANDARD
                .encode(format!("x:{}", handed_out.keys[0].client_secret))
                .into_bytes(),
            "a secret in base64",
        ),
        (
            format!("é{}", hex(handed_out.keys[5].client_secret.as_bytes())).into_bytes(),
            "a secret in hex",
        ),
        (
            handed_out.tokens[7].clone().into_bytes(),
            "a token in plain",
        ),
        (
            [b"\0\xff", &drawn[1][..], b"\0"].concat(),
            "a secret's random bits as they are",
        ),
    ] {
        let below = directory.join("below");
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join("planted"), &planted).unwrap();
        assert_eq!(
            needles.found_below(directory),
            [("planted".to_owned(), what)]
        );
        fs::remove_file(below.join("planted")).unwrap();
    }
}
