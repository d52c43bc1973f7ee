//! What time it is for a simulator: the machine's clock, or one that only tests move.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// A clock that can be moved on. Clones are the same clock.
#[derive(Clone)]
pub struct Clock {
    runs: bool,
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's.
    pub fn system() -> Self {
        Self { runs: true, offset_ms: Arc::default() }
    }

    /// One that stands at `ms` since 1970 until it is moved.
    pub fn fixed(ms: i64) -> Self {
        Self { runs: false, offset_ms: Arc::new(AtomicI64::new(ms)) }
    }

    /// Milliseconds since 1970, UTC.
    pub fn now_ms(&self) -> i64 {
        let offset = self.offset_ms.load(Ordering::SeqCst);
        if !self.runs {
            return offset;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(offset)
    }

    /// Moves it on.
    pub fn advance(&self, ms: u32) {
        self.offset_ms.fetch_add(i64::from(ms), Ordering::SeqCst);
    }
}

impl windlass_model::time::Clock for Clock {
    fn now_ms(&self) -> i64 {
        Self::now_ms(self)
    }
}

/// A time as providers write it: `2026-05-04T03:02:01Z`.
pub fn rfc3339(ms: i64) -> String {
    let seconds = ms.div_euclid(1_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, so that the day that some years have more is a year's last.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second % 3_600 / 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_read_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_767_225_599_000, "2025-12-31T23:59:59Z"),
            (1_772_323_200_000, "2026-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(ms), text);
        }
    }

    #[test]
    fn a_fixed_clock_moves_only_when_it_is_told() {
        let clock = Clock::fixed(5);
        let same = clock.clone();
        clock.advance(10);
        assert_eq!(same.now_ms(), 15);
        let (running, before) = (Clock::system(), Clock::system().now_ms());
        running.advance(60_000);
        assert!(running.now_ms() >= before + 60_000);
    }
}
