//! Cron patterns in a time zone: the next and the previous instant, right across changes of the clocks. A time of day that
//! is named happens once a day: if the clocks skip it, right after the gap; if they repeat it, the first time. A pattern with
//! `*` or steps in its times goes by the wall clock: it leaves out what is skipped and repeats what is repeated.

use croner::parser::{CronParser, Seconds, Year};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde_json::json;
use windlass_model::{Code, Problem};

/// Bytes of a pattern, at most.
const PATTERN_BYTES: usize = 200;
/// Times of day that one pattern names, at most; with more of them it counts as one with steps.
const NAMED: usize = 96;

/// How far ahead changes of the clocks are looked for: each zone that has them has two in a year.
const YEAR_MS: i64 = 400 * 86_400_000;
/// More instants than these around a change of the clocks tell nobody anything.
const FEW: usize = 6;

/// The clocks of a zone are put forward or back.
pub struct ClockChange {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// By how much; less than nothing is back.
    pub by_minutes: i64,
    /// The pattern's instants in what is skipped or repeated, and as long before or after it.
    pub instants: Vec<i64>,
}

/// A pattern in a time zone.
#[derive(Clone)]
pub struct Cron {
    /// One for each time of day that is named, else the pattern itself.
    parts: Vec<croner::Cron>,
    whole: croner::Cron,
    zone: TimeZone,
}

impl Cron {
    /// Five fields (minute, hour, day, month, weekday), or six with seconds in front; `@daily` and its like.
    pub fn new(pattern: &str, zone: &str) -> Result<Self, Problem> {
        let wrong = |pointer: &str, message: String| {
            Problem::new(Code::InvalidInput, message).data(json!({ "pointer": pointer }))
        };
        let zone = TimeZone::get(zone).map_err(|_| {
            wrong("/time_zone", format!("there is no time zone `{zone}`"))
                .help("a name of the IANA database: `Europe/Berlin`, `America/New_York`, `UTC`")
        })?;
        let help =
            "five fields (minute, hour, day of month, month, day of week), or six with seconds in front: `30 2 * * *`";
        if pattern.len() > PATTERN_BYTES {
            return Err(wrong("/cron", format!("a pattern has at most {PATTERN_BYTES} bytes")).help(help));
        }
        let whole = parsed(pattern)
            .map_err(|error| wrong("/cron", format!("`{pattern}` can't be read: {error}")).help(help))?;
        let parts = named(pattern).map(|all| all.iter().filter_map(|one| parsed(one).ok()).collect::<Vec<_>>());
        let cron = Self { parts: parts.unwrap_or_else(|| vec![whole.clone()]), whole, zone };
        if cron.next(Timestamp::now().as_millisecond()).is_none() {
            return Err(
                wrong("/cron", format!("`{pattern}` never happens")).help("is there such a day in such a month?")
            );
        }
        Ok(cron)
    }

    /// The first instant after this one, milliseconds since 1970.
    pub fn next(&self, after_ms: i64) -> Option<i64> {
        let after = self.at(after_ms.div_euclid(1_000) * 1_000)?;
        let found = self.parts.iter().filter_map(|part| part.find_next_occurrence(&after, false).ok());
        found.map(|at| at.timestamp().as_millisecond()).min()
    }

    /// The last instant before this one.
    pub fn previous(&self, before_ms: i64) -> Option<i64> {
        let before = self.at((before_ms + 999).div_euclid(1_000) * 1_000)?;
        let found = self.parts.iter().filter_map(|part| part.find_previous_occurrence(&before, false).ok());
        found.map(|at| at.timestamp().as_millisecond()).max()
    }

    /// The first instants after this one.
    pub fn upcoming(&self, after_ms: i64, count: usize) -> Vec<i64> {
        std::iter::successors(self.next(after_ms), |at| self.next(*at)).take(count).collect()
    }

    /// The next changes of the clocks near which the pattern happens, two at most.
    pub fn clock_changes(&self, after_ms: i64) -> Vec<ClockChange> {
        let Ok(after) = Timestamp::from_millisecond(after_ms) else { return Vec::new() };
        let offset = |ms: i64| self.at(ms).map_or(0, |at| i64::from(at.offset().seconds()));
        let changes = self.zone.following(after).map(|change| change.timestamp().as_millisecond());
        let near = changes.take_while(|at_ms| *at_ms < after_ms + YEAR_MS).filter_map(|at_ms| {
            let by_ms = (offset(at_ms) - offset(at_ms - 1_000)) * 1_000;
            let (by_minutes, around) = (by_ms / 60_000, at_ms - by_ms.abs()..at_ms + by_ms.abs());
            let found = self.upcoming(around.start - 1_000, FEW + 1);
            let instants: Vec<i64> = found.into_iter().take_while(|instant| around.contains(instant)).collect();
            (by_minutes != 0 && (1..=FEW).contains(&instants.len())).then_some(ClockChange {
                at_ms,
                by_minutes,
                instants,
            })
        });
        near.take(2).collect()
    }

    /// The pattern in words.
    pub fn words(&self) -> String {
        self.whole.describe()
    }

    /// An instant as a wall clock in the zone shows it, with its offset.
    pub fn wall(&self, at_ms: i64) -> String {
        self.at(at_ms).map_or_else(String::new, |at| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    }

    fn at(&self, ms: i64) -> Option<Zoned> {
        Timestamp::from_millisecond(ms).ok().map(|at| at.to_zoned(self.zone.clone()))
    }
}

fn parsed(pattern: &str) -> Result<croner::Cron, croner::errors::CronError> {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build().parse(pattern)
}

/// One pattern for each time of day, if all of them are named: `0,30 2 * * *` is `0 2 * * *` and `30 2 * * *`.
fn named(pattern: &str) -> Option<Vec<String>> {
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    let (times, days) = match fields.len() {
        5 => fields.split_at(2),
        6 => fields.split_at(3),
        _ => return None,
    };
    let times = times.iter().map(|field| numbers(field)).collect::<Option<Vec<_>>>()?;
    if times.iter().map(Vec::len).product::<usize>() > NAMED {
        return None;
    }
    let mut all = vec![String::new()];
    for field in times {
        let longer = |front: &String| field.iter().map(|number| format!("{front}{number} ")).collect::<Vec<_>>();
        all = all.iter().flat_map(longer).collect();
    }
    Some(all.into_iter().map(|front| front + &days.join(" ")).collect())
}

/// `1,3,5-7` as numbers; anything else isn't named.
fn numbers(field: &str) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for part in field.split(',') {
        match part.split_once('-') {
            Some((from, to)) => all.extend(from.parse::<u8>().ok()?..=to.parse::<u8>().ok()?),
            None => all.push(part.parse().ok()?),
        }
    }
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn from(pattern: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let cron = Cron::new(pattern, zone).unwrap();
        let all = cron.upcoming(ms(after), count);
        // Backwards is the same way.
        for pair in all.windows(2) {
            assert_eq!(cron.previous(pair[1]), Some(pair[0]), "{pattern}");
        }
        all.into_iter().map(|at| cron.wall(at)).collect()
    }

    #[test]
    fn a_time_that_the_clocks_skip_happens_right_after_the_gap() {
        let found = from("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3);
        assert_eq!(found, ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]);
        let found = from("0,30 2 * * *", "Europe/Berlin", "2026-03-28T20:00:00Z", 2);
        assert_eq!(found, ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"], "both once, at the same instant");
    }

    #[test]
    fn a_time_that_the_clocks_repeat_happens_once() {
        let found = from("30 2 * * *", "Europe/Berlin", "2026-10-24T20:00:00Z", 2);
        assert_eq!(found, ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]);
        let found = from("0,30 1-2 * * *", "Europe/Berlin", "2026-10-24T20:00:00Z", 5);
        let wanted = [
            "2026-10-25T01:00:00+02:00",
            "2026-10-25T01:30:00+02:00",
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T02:30:00+02:00",
            "2026-10-26T01:00:00+01:00",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn hours_go_on_through_a_change_of_the_clocks() {
        let found = from("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 4);
        let wanted = [
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T02:00:00+01:00",
            "2026-10-25T03:00:00+01:00",
            "2026-10-25T04:00:00+01:00",
        ];
        assert_eq!(found, wanted, "each real hour once");
        let found = from("0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2);
        assert_eq!(found, ["2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"]);
    }

    #[test]
    fn zones_with_half_hours_and_midnight_gaps() {
        // Lord Howe's clocks move by half an hour; Beirut's change at midnight.
        let found = from("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2);
        assert_eq!(found, ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"]);
        let found = from("0 0 * * *", "Asia/Beirut", "2026-03-27T23:00:00Z", 2);
        assert_eq!(found, ["2026-03-29T01:00:00+03:00", "2026-03-30T00:00:00+03:00"]);
    }

    #[test]
    fn changes_of_the_clocks_are_told_to_patterns_that_meet_them() {
        let told = |pattern: &str, zone: &str| {
            let cron = Cron::new(pattern, zone).unwrap();
            let walls =
                |all: &[i64]| all.iter().map(|at| cron.wall(*at)[..16].to_owned()).collect::<Vec<_>>().join(" ");
            let all = cron.clock_changes(ms("2026-01-01T00:00:00Z"));
            all.iter()
                .map(|one| format!("{} {}: {}", cron.wall(one.at_ms), one.by_minutes, walls(&one.instants)))
                .collect()
        };
        let daily: Vec<String> = told("30 2 * * *", "Europe/Berlin");
        assert_eq!(
            daily,
            ["2026-03-29T03:00:00+02:00 60: 2026-03-29T03:00", "2026-10-25T02:00:00+01:00 -60: 2026-10-25T02:30",]
        );
        let hourly: Vec<String> = told("0 * * * *", "Europe/Berlin");
        assert_eq!(hourly[1], "2026-10-25T02:00:00+01:00 -60: 2026-10-25T02:00 2026-10-25T02:00");
        for (pattern, zone) in [("0 12 * * *", "Europe/Berlin"), ("* * * * *", "Europe/Berlin"), ("30 2 * * *", "UTC")]
        {
            assert_eq!(told(pattern, zone), Vec::<String>::new(), "{pattern} {zone}");
        }
    }

    #[test]
    fn leap_days_ends_of_months_and_seconds() {
        assert_eq!(from("0 12 29 2 *", "UTC", "2026-01-01T00:00:00Z", 1), ["2028-02-29T12:00:00+00:00"]);
        assert_eq!(from("0 0 L * *", "UTC", "2026-02-01T00:00:00Z", 1), ["2026-02-28T00:00:00+00:00"]);
        assert_eq!(from("*/20 * * * * *", "UTC", "2026-02-01T00:00:05Z", 2)[1], "2026-02-01T00:00:40+00:00");
        assert_eq!(from("@weekly", "UTC", "2026-02-01T00:00:05Z", 1), ["2026-02-08T00:00:00+00:00"]);
        assert_eq!(from("0 9 * * MON-FRI", "UTC", "2026-11-20T10:00:00Z", 1), ["2026-11-23T09:00:00+00:00"]);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        for (pattern, zone, pointer) in [
            ("61 * * * *", "UTC", "/cron"),
            ("* * * *", "UTC", "/cron"),
            ("", "UTC", "/cron"),
            ("0 0 30 2 *", "UTC", "/cron"),
            ("0 0 0 1 1 * 2030", "UTC", "/cron"),
            ("* * * * *", "Middle/Earth", "/time_zone"),
            ("* * * * *", "../../etc/passwd", "/time_zone"),
            (&"1,".repeat(200), "UTC", "/cron"),
        ] {
            let problem = Cron::new(pattern, zone).err().unwrap_or_else(|| panic!("{pattern} {zone}"));
            assert_eq!((problem.code, &problem.data["pointer"]), (Code::InvalidInput, &json!(pointer)), "{pattern}");
        }
    }
}
