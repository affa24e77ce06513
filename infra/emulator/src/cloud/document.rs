//! A value kept in memory and, with a path, in one JSON file that is replaced whole, so that a
//! crash leaves the old or the new.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{directory::private_file, error::CloudError};

/// See the module.
pub(super) struct Document<T> {
    value: Mutex<T>,
    path: Option<PathBuf>,
}

/// The change could not be written to disk, and was not made.
#[derive(Debug)]
pub(super) struct NotSaved(pub(super) io::Error);

impl<T: Clone + Default + Serialize + DeserializeOwned> Document<T> {
    /// Reads the file; a missing one is the default value.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, CloudError> {
        let value = path
            .as_deref()
            .map(load)
            .transpose()?
            .flatten()
            .unwrap_or_default();
        Ok(Self {
            value: Mutex::new(value),
            path,
        })
    }

    /// Looks at the value.
    pub(super) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Changes a copy, and keeps it once `change` succeeded and the file is written.
    pub(super) fn change<R, E: From<NotSaved>>(
        &self,
        change: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut value = self.lock();
        let mut copy = value.clone();
        let result = change(&mut copy)?;
        if let Some(path) = &self.path {
            save(path, &copy).map_err(NotSaved)?;
        }
        *value = copy;
        Ok(result)
    }

    /// A panic elsewhere cannot have left the value half changed, since only whole copies are kept.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, CloudError> {
    let damaged =
        |e: &dyn std::fmt::Display| CloudError::new(format!("cannot read {}: {e}", path.display()));
    match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(damaged(&e)),
        Ok(json) => serde_json::from_slice(&json)
            .map(Some)
            .map_err(|e| damaged(&e)),
    }
}

fn save<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => (),
    }
    let mut file = private_file(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(value)?)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The rename itself lasts once the directory is written.
    path.parent()
        .map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

impl From<NotSaved> for CloudError {
    fn from(NotSaved(e): NotSaved) -> Self {
        Self::new(format!("cannot save to the data directory: {e}"))
    }
}
