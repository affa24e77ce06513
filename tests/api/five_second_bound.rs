//! The five seconds within which a change reaches whoever it is about (CBM-4, X-1), in real time.
//!
//! What is asserted holds on a machine of any speed: a call that *begins* five seconds after the
//! change is decided by it. A decision rests on a read of the feed that was sent at most four
//! seconds before it (`domain::feed::Rules`), however long that read and the call took, and where
//! there is none the call is a 503. So a machine that stands still in the middle of a call makes
//! the answer late and not wrong. When it ends, and what calls that began earlier were told, is not
//! looked at.

#![expect(clippy::disallowed_methods, reason = "the bound is one of real time")]

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use tests::Caller;
use tokio::time::sleep;

/// From the answer of the change to the beginning of the last call that is decided without it.
pub const BOUND: Duration = Duration::from_secs(5);

/// Asks until the answer is as it should be, from now on: no call that begins after the bound is
/// answered otherwise. How long that took.
pub async fn within<T: Debug>(
    what: &str,
    ask: impl AsyncFn() -> T,
    is_right: impl Fn(&T) -> bool,
) -> Duration {
    within_since(Instant::now(), what, ask, is_right).await
}

/// [`within`], of a change that was answered at `changed`.
async fn within_since<T: Debug>(
    changed: Instant,
    what: &str,
    ask: impl AsyncFn() -> T,
    is_right: impl Fn(&T) -> bool,
) -> Duration {
    loop {
        let begun = changed.elapsed();
        let answer = ask().await;
        if is_right(&answer) {
            return changed.elapsed();
        }
        assert!(
            begun < BOUND,
            "{what}: a call that began {begun:?} after the change was answered {answer:?}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// Asserts that the sample API admits these callers.
pub async fn live(callers: &[&Caller]) {
    for caller in callers {
        let answer = caller.get("/v1/whoami").await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// Asserts that the sample API refuses all of these callers within one bound from now on.
pub async fn die(callers: &[&Caller]) {
    let changed = Instant::now();
    for (index, caller) in callers.iter().enumerate() {
        let ask = async || {
            let answer = caller.get("/v1/whoami").await;
            if answer.status != 200 {
                answer.assert_error(401, "authentication_failed");
            }
            answer
        };
        within_since(changed, &format!("caller {index}"), ask, |answer| {
            answer.status == 401
        })
        .await;
    }
}
