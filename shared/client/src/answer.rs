//! An answer, read whole.

use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{Error, ErrorResponse};

/// An answer, read whole.
pub struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl Answer {
    pub(crate) fn new(status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self {
            status,
            headers,
            body: Zeroizing::new(body),
        }
    }

    /// Its status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// A header's value, where it is text; the first, where there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Its body. It may hold a credential.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The JSON of a success, which may hold a credential.
    ///
    /// # Errors
    /// [`Error::Response`] with what the API says about it; [`Error::Foreign`] of an answer that is
    /// no JSON.
    pub fn json(&self) -> Result<Value, Error> {
        self.read()
    }

    /// What a success says, as far as `T` has members for it.
    ///
    /// # Errors
    /// As of [`Answer::json`], and [`Error::Foreign`] of a success that says nothing of the kind.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let foreign = |_| Error::Foreign {
            status: self.status,
        };
        if matches!(self.status, 200..=299) {
            return serde_json::from_slice(&self.body).map_err(foreign);
        }
        let body: Value = serde_json::from_slice(&self.body).map_err(foreign)?;
        Err(Error::Response(Box::new(ErrorResponse::read(
            self.status,
            &body,
            self.header("retry-after"),
        ))))
    }
}

/// The status alone: the rest may hold a credential.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
