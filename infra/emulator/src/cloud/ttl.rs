//! Expiry of items by their TTL attribute, which dynoxide does only when told to.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{Cloud, error::CloudError};

impl Cloud {
    /// Deletes what has expired now and says how many items that was.
    ///
    /// # Errors
    /// The tables cannot be read or written.
    pub async fn sweep_ttl(&self) -> Result<usize, CloudError> {
        let database = self.database.clone();
        let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
        swept
            .map_err(|e| CloudError::new(format!("the TTL sweep failed: {e}")))?
            .map_err(|e| CloudError::new(format!("the TTL sweep failed: {e}")))
    }

    /// Sweeps now and then every so often until the stop; AWS takes up to a few days. Calling it
    /// again replaces the timer.
    ///
    /// # Panics
    /// If `every` is zero.
    pub fn sweep_ttl_every(&mut self, every: Duration) {
        let database = self.database.clone();
        let sweeper = tokio::spawn(async move {
            let mut tick = interval(every);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                let database = database.clone();
                match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
                    Ok(Ok(0)) => (),
                    Ok(Ok(deleted)) => tracing::debug!(deleted, "expired items swept"),
                    Ok(Err(error)) => tracing::error!(%error, "the TTL sweep failed"),
                    Err(error) => tracing::error!(%error, "the TTL sweep failed"),
                }
            }
        });
        if let Some(previous) = self.sweeper.replace(sweeper) {
            previous.abort();
        }
    }
}
