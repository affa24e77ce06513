//! A platform for benchmarks.

use emulator::cloud::Storage;
use local::services::Options;
use tempfile::TempDir;
use tests::Platform;

/// A platform whose tables are in a file, and the file's directory. In memory, each write takes
/// longer than the one before: the tables lack an index there, which a file has
/// (`emulator::cloud`).
pub async fn platform_in_a_file() -> (Platform, TempDir) {
    let directory = TempDir::new().expect("a directory");
    let storage = Storage::Directory(directory.path().to_owned());
    let platform = Platform::with(Options {
        storage,
        ..Options::default()
    })
    .await;
    (platform, directory)
}
