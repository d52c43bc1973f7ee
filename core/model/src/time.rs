//! Durations as people write them, and where the current time comes from. Times are milliseconds since 1970, UTC.

/// Where the engine reads the time: the system's clock, or a virtual one in rehearsals and scenarios.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> i64;
}

/// The text isn't a duration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` isn't a duration (examples: `500ms`, `30s`, `5m`, `1h30m`, `7d`, `2w`)")]
pub struct BadDuration(pub String);

/// Milliseconds of a duration such as `500ms`, `30s`, `1h30m`, `7d`, `2w`.
pub fn parse_duration_ms(text: &str) -> Result<i64, BadDuration> {
    let bad = || BadDuration(text.to_owned());
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad());
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: i64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit_ms: i64 = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return Err(bad()),
        };
        rest = rest[letters..].trim_start();
        let part = count.checked_mul(unit_ms).ok_or_else(bad)?;
        total = total.checked_add(part).ok_or_else(bad)?;
    }
    Ok(total)
}

/// The duration as a person would write it: `1h 30m`, `2.4 s`, `350 ms`.
pub fn format_duration_ms(ms: i64) -> String {
    match ms {
        ..=999 => format!("{ms} ms"),
        1_000..=59_999 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..=3_599_999 => format!("{}m {}s", ms / 60_000, ms % 60_000 / 1_000),
        3_600_000..=86_399_999 => format!("{}h {}m", ms / 3_600_000, ms % 3_600_000 / 60_000),
        _ => format!("{}d {}h", ms / 86_400_000, ms % 86_400_000 / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        assert_eq!(parse_duration_ms("1h30m"), Ok(5_400_000));
        assert_eq!(parse_duration_ms("7d"), Ok(604_800_000));
        assert_eq!(parse_duration_ms("1m 5s"), Ok(65_000));
        for bad in ["", "5", "h", "1x", "-1s", "99999999999999999999s", "9223372036854775807w", "é"] {
            assert!(parse_duration_ms(bad).is_err(), "{bad}");
        }
    }
}
