//! Waiting for events. A test waits until something is so, never for as long as it usually takes.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long a test waits for an event before it fails. It ends a test that would hang, and claims
/// nothing about speed: no machine, however busy, takes this long.
pub const TIMEOUT: Duration = Duration::from_mins(2);

/// Waits until this is so.
///
/// # Panics
/// It is not so within [`TIMEOUT`].
pub async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let look = async {
        while !is_so().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        timeout(TIMEOUT, look).await.is_ok(),
        "{what}: not within {TIMEOUT:?}"
    );
}
