//! The table: what was measured, its target, their ratio, and whether it holds.

use std::fmt;

use serde_json::{Value, json};

/// Whether the measured value should be below its target or above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Shown for the picture; nothing is promised.
    None,
}

#[derive(Clone, Debug)]
enum State {
    Measured { value: f64, unit: &'static str, target: Target },
    Skipped(String),
    Failed(String),
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    case: &'static str,
    what: String,
    state: State,
}

impl Row {
    pub fn new(case: &'static str, what: impl Into<String>, value: f64, unit: &'static str, target: Target) -> Self {
        Self { case, what: what.into(), state: State::Measured { value, unit, target } }
    }

    /// A number without a target.
    pub fn info(case: &'static str, what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self::new(case, what, value, unit, Target::None)
    }

    pub fn skipped(case: &'static str, why: impl Into<String>) -> Self {
        Self { case, what: String::new(), state: State::Skipped(why.into()) }
    }

    pub fn failed(case: &'static str, why: impl Into<String>) -> Self {
        Self { case, what: String::new(), state: State::Failed(why.into()) }
    }

    /// The same without a promise: a smoke test's sizes say nothing.
    pub fn without_target(mut self) -> Self {
        if let State::Measured { target, .. } = &mut self.state {
            *target = Target::None;
        }
        self
    }

    pub fn is_broken(&self) -> bool {
        matches!(self.state, State::Failed(_))
    }

    fn holds(&self) -> Option<bool> {
        match self.state {
            State::Measured { value, target: Target::AtMost(target), .. } => Some(value <= target),
            State::Measured { value, target: Target::AtLeast(target), .. } => Some(value >= target),
            _ => None,
        }
    }

    fn cells(&self) -> [String; 5] {
        let State::Measured { value, unit, target } = &self.state else {
            let (State::Skipped(why) | State::Failed(why)) = &self.state else { return Default::default() };
            let word = if self.is_broken() { "FAILED" } else { "SKIPPED" };
            return [format!("{}: {why}", self.case), word.to_owned(), String::new(), String::new(), "??".to_owned()];
        };
        let (wanted, ratio) = match target {
            Target::AtMost(target) => (format!("≤ {}", number(*target)), format!("{:.2}", value / target)),
            Target::AtLeast(target) => (format!("≥ {}", number(*target)), format!("{:.2}", value / target)),
            Target::None => (String::new(), String::new()),
        };
        let ok = self.holds().map_or("", |holds| if holds { "ok" } else { "MISSED" });
        [format!("{}: {}", self.case, self.what), format!("{} {unit}", number(*value)), wanted, ratio, ok.to_owned()]
    }

    fn json(&self) -> Value {
        let head = json!({ "case": self.case, "what": self.what, "ok": self.holds() });
        let rest = match &self.state {
            State::Measured { value, unit, target } => {
                let (at_most, at_least) = match target {
                    Target::AtMost(target) => (Some(target), None),
                    Target::AtLeast(target) => (None, Some(target)),
                    Target::None => (None, None),
                };
                json!({ "measured": value, "unit": unit, "at_most": at_most, "at_least": at_least })
            }
            State::Skipped(why) => json!({ "skipped": why }),
            State::Failed(why) => json!({ "failed": why }),
        };
        let mut all = head;
        if let (Value::Object(all), Value::Object(rest)) = (&mut all, rest) {
            all.extend(rest);
        }
        all
    }
}

/// Everything that was measured.
#[derive(Default)]
pub struct Report {
    pub machine: Vec<(&'static str, String)>,
    pub sync_before_ms: f64,
    pub sync_after_ms: f64,
    /// What other processes took of the cores during each case: the table is worth as much as this is small.
    pub others_percent: Vec<(&'static str, f64)>,
    pub rows: Vec<Row>,
}

impl Report {
    pub fn json(&self) -> Value {
        let machine: serde_json::Map<String, Value> =
            self.machine.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        json!({
            "machine": machine,
            "fdatasync_median_ms": { "before": self.sync_before_ms, "after": self.sync_after_ms },
            "others_percent": self.others_percent.iter().map(|(case, percent)| json!({ "case": case, "percent": percent })).collect::<Vec<_>>(),
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.machine {
            writeln!(f, "{key:<12} {value}")?;
        }
        let (before, after) = (self.sync_before_ms, self.sync_after_ms);
        writeln!(f, "fdatasync    4 KiB append, median {before:.3} ms before, {after:.3} ms after")?;
        let others: Vec<String> =
            self.others_percent.iter().map(|(case, part)| format!("{case} {part:.0} %")).collect();
        writeln!(f, "others took  of these cores: {}\n", others.join(", "))?;
        let head = ["case", "measured", "target", "ratio", ""].map(str::to_owned);
        let rows: Vec<[String; 5]> = std::iter::once(head).chain(self.rows.iter().map(Row::cells)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 5] = std::array::from_fn(width);
        for (index, [case, measured, target, ratio, ok]) in rows.iter().enumerate() {
            let [a, b, c, d, _] = widths;
            writeln!(f, "{case:<a$} │ {measured:>b$} │ {target:>c$} │ {ratio:>d$} │ {ok}")?;
            if index == 0 {
                writeln!(
                    f,
                    "{}┼{}┼{}┼{}┼───────",
                    "─".repeat(a + 1),
                    "─".repeat(b + 2),
                    "─".repeat(c + 2),
                    "─".repeat(d + 2)
                )?;
            }
        }
        Ok(())
    }
}

/// Three digits that count; thousands in groups.
fn number(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 1_000.0 => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index).is_multiple_of(3) {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
        magnitude if magnitude >= 100.0 => format!("{value:.0}"),
        magnitude if magnitude >= 10.0 => format!("{value:.1}"),
        magnitude if magnitude == 0.0 || (magnitude >= 1.0 && value.fract() == 0.0) => format!("{value:.0}"),
        magnitude if magnitude >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The middle value; sorts.
pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this part of the values lies; sorts. Not a number if there are none.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or(f64::NAN)
}
