//! Quiet hours: from one time of day to another by the clocks of a place, on some days of the week.

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_model::Problem;

use super::kept::Severity;
use crate::triggers::wrong;

/// When people aren't to be disturbed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// From this time of day: `22:00`.
    pub from: String,
    /// Until this one; an earlier one is of the next day.
    pub to: String,
    /// By whose clocks: `Europe/Berlin`.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Only nights that begin on these days (`mon` … `sun`); none: on all.
    #[serde(default)]
    pub days: Vec<String>,
    /// What matters so much is told all the same; none: nothing is.
    #[serde(default)]
    pub breaks_through: Option<Severity>,
}

fn utc() -> String {
    "UTC".into()
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Quiet {
    /// Refuses what can't be meant.
    pub fn check(&self) -> Result<(), Problem> {
        let (from, to) = (time(&self.from), time(&self.to));
        if from.is_none() || to.is_none() || from == to {
            return Err(wrong("/quiet/from", "two different times of day, as `22:00` and `07:00`"));
        }
        if TimeZone::get(&self.time_zone).is_err() {
            let message = format!("there is no time zone `{}`", self.time_zone);
            return Err(wrong("/quiet/time_zone", message).help("a name of the IANA database: `Europe/Berlin`"));
        }
        match self.days.iter().all(|day| DAYS.iter().any(|(name, _)| name == day)) {
            true => Ok(()),
            false => Err(wrong("/quiet/days", "days are `mon`, `tue`, `wed`, `thu`, `fri`, `sat` and `sun`")),
        }
    }

    /// Whether something matters so much that it is told all the same.
    pub fn lets_through(&self, severity: Severity) -> bool {
        self.breaks_through.is_some_and(|least| severity >= least)
    }

    /// Until when something that happens now has to wait; none: it needn't.
    pub fn until_ms(&self, severity: Severity, now_ms: i64) -> Option<i64> {
        if self.lets_through(severity) { None } else { self.end_ms(now_ms) }
    }

    /// When the quiet hours of this moment end; none: it is in none.
    pub fn end_ms(&self, now_ms: i64) -> Option<i64> {
        let (from, to) = (time(&self.from)?, time(&self.to)?);
        let zone = TimeZone::get(&self.time_zone).ok()?;
        let now = Timestamp::from_millisecond(now_ms).ok()?;
        let today = now.to_zoned(zone.clone()).date();
        // The one that began yesterday may not be over.
        [today.yesterday().ok()?, today].into_iter().find_map(|day| {
            let wanted = DAYS.iter().find(|(_, weekday)| *weekday == day.weekday()).map(|(name, _)| *name)?;
            if !self.days.is_empty() && !self.days.iter().any(|name| name == wanted) {
                return None;
            }
            let last = if to > from { day } else { day.checked_add(1.day()).ok()? };
            // A time that the clocks skip is the moment after the gap; of one that comes twice, the first begins, the later ends.
            let begin = zone.to_ambiguous_zoned(day.to_datetime(from)).compatible().ok()?.timestamp();
            let end = zone.to_ambiguous_zoned(last.to_datetime(to)).later().ok()?.timestamp();
            (begin <= now && now < end).then(|| end.as_millisecond())
        })
    }
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let two = |text: &str| (text.len() == 2).then(|| text.parse::<i8>().ok()).flatten();
    Time::new(two(hour)?, two(minute)?, 0, 0).ok()
}
