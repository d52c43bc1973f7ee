//! Whose a run is: what it makes carries that, and what others own it leaves alone.

use windlass_model::{Code, Problem, RunId};

/// The organisation that looks after the installation. What carries no organisation's mark is its own.
pub const PLATFORM: &str = "platform";

/// What has become of a run, as far as its things are concerned: whether another run may take one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on, or will: what it has made is its own. So is what a run has made that this installation doesn't know: another
    /// one's, or one that is younger than the backup that was put back.
    Open,
    /// It has completed, or is so long ago that nobody remembers it: what it has made is meant to stay, and nobody's undo
    /// will ever remove it.
    Completed,
    /// It has ended otherwise, or its undo is stuck: what is left of it is left over, and whoever takes that answers for it.
    Left,
}

/// Tells the organisation of a run, and what has become of it. The server does.
pub trait Organisations: Send + Sync {
    /// The organisation that the run was launched in.
    fn of(&self, run: &RunId) -> Result<String, Problem>;

    /// Whether this installation doesn't know the run, for what people are told.
    fn is_unknown(&self, _: &RunId) -> bool {
        false
    }

    /// What has become of the run. Whoever doesn't know takes it for open, and nothing from it.
    fn fate(&self, _: &RunId) -> Result<Fate, Problem> {
        Ok(Fate::Open)
    }
}

/// The run of a step's key.
pub fn run_of(key: &str) -> RunId {
    key.split('/').next().unwrap_or_default().into()
}

/// Why something of this run can't be taken, to stand behind "made it": it is still open, or nobody here knows it.
pub(crate) fn why_open(runs: &dyn Organisations, run: &RunId) -> &'static str {
    match runs.is_unknown(run) {
        true => {
            ", a run that this installation doesn't know: another installation's, or one that is younger than the backup that was put back here"
        }
        false => ", and hasn't ended",
    }
}

/// Takes every run for one of this organisation: for rehearsals, which change nothing, and for tests.
pub struct Always(pub &'static str);

impl Organisations for Always {
    fn of(&self, _: &RunId) -> Result<String, Problem> {
        Ok(self.0.to_owned())
    }
}

/// Knows of no run but that it has ended and was to stay.
pub(crate) struct Forgotten;

impl Organisations for Forgotten {
    fn of(&self, _: &RunId) -> Result<String, Problem> {
        Ok(PLATFORM.to_owned())
    }

    fn fate(&self, _: &RunId) -> Result<Fate, Problem> {
        Ok(Fate::Completed)
    }
}

/// Whether an organisation may use what the configuration gives to these: the platform always, others if they are named.
/// `*` names all.
pub fn may_use(given_to: &[String], organisation: &str) -> bool {
    organisation == PLATFORM || given_to.iter().any(|one| one == "*" || one == organisation)
}

/// What belongs to somebody else. It isn't said to whom.
pub(crate) fn refused(what: &str, organisation: &str) -> Problem {
    Problem::new(Code::PermissionDenied, format!("{what} isn't of the organisation `{organisation}`, whose run this is"))
        .help("a run changes what runs of its own organisation have made; the platform's runs may change what others made, too")
        .data(serde_json::json!({ "reason": "organisation" }))
        .no_effect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_to_nobody_is_the_platforms() {
        for (given_to, organisation, expected) in [
            (&[][..], PLATFORM, true),
            (&[], "acme", false),
            (&["acme"], "acme", true),
            (&["acme"], "other", false),
            (&["*"], "other", true),
            (&["acme"], PLATFORM, true),
        ] {
            let given_to: Vec<String> = given_to.iter().map(|one| (*one).to_owned()).collect();
            assert_eq!(may_use(&given_to, organisation), expected, "{given_to:?} {organisation}");
        }
    }
}
