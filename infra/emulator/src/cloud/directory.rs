//! The data directory: for its owner only, and for one process at a time.
//!
//! Two processes on one directory would each overwrite the other's keys, and both would feed the
//! table streams.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::error::CloudError;

/// A directory that this process holds until this value is dropped.
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory if need be (mode 0700) and locks it.
    pub(super) fn hold(path: PathBuf) -> Result<Self, CloudError> {
        let refuse = |e: io::Error| {
            CloudError::new(format!(
                "cannot use the data directory {}: {e}",
                path.display()
            ))
        };
        create_directory(&path).map_err(refuse)?;
        let lock = private_file(&path.join("lock")).map_err(refuse)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::Error(e)) => Err(refuse(e)),
            Err(TryLockError::WouldBlock) => Err(CloudError::new(format!(
                "the data directory {} is in use by another Latchkey: stop that one, or choose \
                 another directory",
                path.display()
            ))),
        }
    }

    /// The path of a file in here.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The path of the tables' file, which exists from here on with mode 0600: `SQLite` gives its
    /// companions the same.
    pub(super) fn database(&self) -> Result<String, CloudError> {
        let path = self.file("dynamodb.sqlite");
        private_file(&path)
            .map_err(|e| CloudError::new(format!("cannot open {}: {e}", path.display())))?;
        path.into_os_string().into_string().map_err(|path| {
            CloudError::new(format!(
                "the data directory's path is not UTF-8: {}",
                path.display()
            ))
        })
    }
}

/// Opens a file for writing that only its owner may read, keeping what is in it.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
