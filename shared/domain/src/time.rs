//! Points in time as values. The one ambient clock is read by `Ambient` (`runtime::ambient`) and
//! handed inward as a [`Clock`].

use std::{fmt, ops::Add, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{
    OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description,
};

/// A source of the present moment, handed in by `Ambient` so that a test can advance it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, written as RFC 3339 UTC with three
/// decimals.
///
/// The written form has a fixed length for the years 0 to 9999, so it sorts as the time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The last instant of the year 9999: beyond it RFC 3339 has no spelling.
const LAST_MILLIS: i64 = 253_402_300_799_999;

impl Timestamp {
    /// The last instant that RFC 3339 can say: never, for practical purposes.
    pub const LAST: Self = Self(LAST_MILLIS);

    /// From milliseconds since the Unix epoch, held within the years 1970 to 9999.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        if millis < 0 {
            Self(0)
        } else if millis > LAST_MILLIS {
            Self(LAST_MILLIS)
        } else {
            Self(millis)
        }
    }

    /// From whole seconds since the Unix epoch (the `NumericDate` of RFC 7519 §2).
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Milliseconds from `earlier` to this; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// This much earlier; not before 1970.
    #[must_use]
    pub fn earlier_by(self, by: Duration) -> Self {
        Self::from_millis(self.0.saturating_sub(millis_of(by)))
    }

    /// Reads RFC 3339, any offset.
    ///
    /// # Errors
    /// One sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "is not an RFC 3339 time such as 2027-01-31T00:00:00Z";
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| EXPECTED)?;
        let millis =
            i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).map_err(|_| EXPECTED)?;
        if (0..=LAST_MILLIS).contains(&millis) {
            Ok(Self(millis))
        } else {
            Err(EXPECTED)
        }
    }
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(millis_of(by)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .map_err(|_| fmt::Error)?;
        f.write_str(
            &at.to_offset(UtcOffset::UTC)
                .format(format)
                .map_err(|_| fmt::Error)?,
        )
    }
}

impl FromStr for Timestamp {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_offsets_and_writes_utc() {
        let at = Timestamp::parse("2026-11-23T02:00:00.1239+02:00").unwrap();
        assert_eq!(at.to_string(), "2026-11-23T00:00:00.123Z");
        assert!(Timestamp::parse("2026-11-23").is_err());
        assert!(Timestamp::parse("1960-01-01T00:00:00Z").is_err());
    }

    proptest! {
        #[test]
        fn the_written_form_sorts_as_the_time_does(a in 0..=LAST_MILLIS, b in 0..=LAST_MILLIS) {
            let (a, b) = (Timestamp::from_millis(a), Timestamp::from_millis(b));
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
            prop_assert_eq!(Timestamp::parse(&a.to_string()), Ok(a));
        }
    }
}
