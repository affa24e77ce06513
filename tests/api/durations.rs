//! Durations that a benchmark measured, and how they print.

use std::{fmt, time::Duration};

/// Durations of one kind. They print as their number, median, 99th percentile and maximum.
#[derive(Clone, Default)]
pub struct Durations(pub Vec<Duration>);

impl Durations {
    /// The shortest duration that so many per cent of them do not exceed; of at least one.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
    }
}

impl fmt::Display for Durations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, p99, max] =
            [50, 99, 100].map(|percent| self.percentile(percent).as_secs_f64() * 1000.0);
        let count = self.0.len();
        write!(
            f,
            "{count}: p50 {median:.1} ms, p99 {p99:.1} ms, max {max:.1} ms"
        )
    }
}

#[test]
fn percentiles_are_those_of_the_sorted_durations() {
    let durations = Durations((1..=200).rev().map(Duration::from_millis).collect());
    let of = |percent| durations.percentile(percent).as_millis();
    assert_eq!([of(0), of(50), of(99), of(100)], [1, 100, 198, 200]);
    assert_eq!(
        durations.to_string(),
        "200: p50 100.0 ms, p99 198.0 ms, max 200.0 ms"
    );
}
