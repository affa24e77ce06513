//! How a wait is written for the operator.

use std::time::Duration;

use super::spoken;

#[test]
fn a_wait_is_said_in_minutes_and_seconds() {
    let said = [1, 999, 1_000, 59_001, 410_000, 3_950_000]
        .map(|millis| spoken(Duration::from_millis(millis)));
    assert_eq!(
        said,
        ["1 s", "1 s", "1 s", "1 min", "6 min 50 s", "65 min 50 s"]
    );
}
