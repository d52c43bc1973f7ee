//! Which runs a command is about: the flags of `windlass runs ls` and `windlass runs bulk`.

use windlass_model::{
    Code, Problem, RunState, WaitReason,
    query::{RunFilter, Scope},
    time::parse_duration_ms,
};

/// Which runs. What isn't given doesn't filter.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Only runs in this state (may be given several times)
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<String>,
    /// Only runs that wait for this, perhaps among others: approval, in_doubt, signal … (may be given several times)
    #[arg(long = "waiting-on", value_name = "REASON")]
    waiting_on: Vec<String>,
    /// Only runs of this workflow, or of a folder: lab/grid, 'lab/*'
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<String>,
    /// Only runs with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only runs launched since then: 2026-01-31T12:00:00Z, or 2h (ago)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only runs launched before: 2026-01-31T12:00:00Z, or 2h (ago)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only runs in which all of these words occur: id, workflow, tags, who launched it, input, error
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    /// Only runs whose input has this value: key=value (may be given several times)
    #[arg(long = "input", value_name = "KEY=VALUE")]
    inputs: Vec<String>,
    /// Only runs of this organisation
    #[arg(long, value_name = "NAME")]
    organisation: Option<String>,
}

impl Which {
    /// The filter for it.
    pub fn filter(&self, now_ms: i64) -> Result<RunFilter, Problem> {
        let states: Result<Vec<RunState>, Problem> = self.states.iter().map(|name| state(name)).collect();
        let time = |name: &str, text: &Option<String>| text.as_deref().map(|text| time(name, text, now_ms)).transpose();
        let mut filter = RunFilter {
            states: states?,
            waiting_on: self.waiting_on.iter().map(|name| reason(name)).collect::<Result<_, _>>()?,
            tag: self.tag.clone(),
            since_ms: time("--since", &self.since)?,
            until_ms: time("--until", &self.until)?,
            text: self.text.clone().filter(|text| !text.trim().is_empty()),
            inputs: self.inputs.iter().map(|text| input(text)).collect::<Result<_, _>>()?,
            organisation: self.organisation.clone(),
            ..RunFilter::default()
        };
        match self.workflow.as_deref().map(|name| name.strip_suffix("/*").ok_or(name)) {
            None => {}
            Some(Err(name)) => filter.workflow = Some(name.to_owned()),
            Some(Ok(folder)) => {
                filter.scopes = Some(vec![Scope { organisation: "*".into(), folder: folder.to_owned() }]);
            }
        }
        Ok(filter)
    }
}

fn state(name: &str) -> Result<RunState, Problem> {
    RunState::parse(name).ok_or_else(|| {
        let all: Vec<&str> = RunState::ALL.iter().map(|state| state.as_str()).collect();
        Problem::new(Code::Usage, format!("`{name}` isn't a state")).help(format!("states: {}", all.join(", ")))
    })
}

fn reason(name: &str) -> Result<WaitReason, Problem> {
    WaitReason::parse(name).ok_or_else(|| {
        let all: Vec<&str> = WaitReason::ALL.iter().map(|reason| reason.as_str()).collect();
        Problem::new(Code::Usage, format!("`{name}` is nothing that runs wait for"))
            .help(format!("they wait for: {}", all.join(", ")))
    })
}

fn input(text: &str) -> Result<(String, String), Problem> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let pair = pair.map(|(name, value)| (name.to_owned(), value.to_owned()));
    pair.ok_or_else(|| Problem::new(Code::Usage, format!("`--input {text}` isn't KEY=VALUE")))
}

/// A point in time, or so long ago.
fn time(name: &str, text: &str, now_ms: i64) -> Result<i64, Problem> {
    let written = || text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond());
    let ago = || parse_duration_ms(text).ok().map(|length_ms| now_ms - length_ms);
    written().or_else(ago).ok_or_else(|| {
        Problem::new(Code::Usage, format!("`{name} {text}` isn't a time"))
            .help("a time is `2026-01-31T12:00:00Z`, or how long ago: `2h`, `7d`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_points_or_how_long_ago() {
        assert_eq!(time("--since", "1970-01-01T00:00:01Z", 0).unwrap(), 1_000);
        assert_eq!(time("--since", "2h", 7_200_000).unwrap(), 0);
        assert_eq!(time("--since", "yesterday", 0).unwrap_err().code, Code::Usage);
        assert_eq!(input("a=b=c").unwrap(), ("a".into(), "b=c".into()));
        assert_eq!(input("a").unwrap_err().code, Code::Usage);
    }
}
