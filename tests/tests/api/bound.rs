//! The five seconds within which a revocation reaches whatever it ends (CBM-4, X-1), in real time.

#![expect(clippy::disallowed_methods, reason = "the bound is one of real time")]

use std::time::{Duration, Instant};

use tests::Caller;
use tokio::time::sleep;

/// From the answer of the revoke to the last allow.
pub const BOUND: Duration = Duration::from_secs(5);

/// Asserts that the sample API admits these callers.
pub async fn live(callers: &[&Caller]) {
    for caller in callers {
        let answer = caller.get("/v1/whoami").await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// Asserts that the sample API refuses all of these callers within the bound from now on.
pub async fn die(callers: &[&Caller]) {
    let revoked = Instant::now();
    for (index, caller) in callers.iter().enumerate() {
        loop {
            let answer = caller.get("/v1/whoami").await;
            if answer.status != 200 {
                answer.assert_error(401, "authentication_failed");
                break;
            }
            assert!(revoked.elapsed() < BOUND, "caller {index} is still admitted after {:?}", revoked.elapsed());
            sleep(Duration::from_millis(50)).await;
        }
    }
}
