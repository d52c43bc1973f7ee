//! What this machine can do for Windlass, and how to get what is missing.

mod checks;
mod consoles;
mod disk;
mod service;
pub mod smoke;

pub use checks::may_make_namespaces;
pub use service::Doctor;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::Config;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It works.
    Fine,
    /// It isn't there; some workflows need it.
    Missing,
    /// It is there, and doesn't work as it should.
    Broken,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What.
    pub name: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// What was found.
    pub found: String,
    /// What it is good for, or how to get it.
    pub help: String,
}

impl Finding {
    fn fine(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, standing: Standing::Fine, found: found.into(), help: String::new() }
    }

    fn missing(name: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, standing: Standing::Missing, found: found.into(), help: help.into() }
    }

    fn broken(name: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, standing: Standing::Broken, found: found.into(), help: help.into() }
    }
}

/// Looks at everything. Changes nothing but a file that is removed again.
pub fn examine(config: &Config, environment: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut findings = checks::all(config, environment);
    findings.push(disk::sync_time(&config.data));
    findings.push(retention(config));
    findings
}

/// What isn't kept for ever, and whether that can be meant.
fn retention(config: &Config) -> Finding {
    match crate::janitor::Policy::read(&config.retention, config.data.join("recordings")) {
        Ok(policy) => Finding::fine("retention", format!("runs {}, {}", config.engine.retention, policy.words())),
        Err(problem) => {
            Finding::broken("retention", problem.message, "put it right in windlass.toml: nothing is removed")
        }
    }
}

/// The findings as text.
pub fn report(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let mark = match finding.standing {
            Standing::Fine => console::style("✓").green(),
            Standing::Missing => console::style("–").yellow(),
            Standing::Broken => console::style("✗").red(),
        };
        lines.push(format!("{mark} {:<20} {}", finding.name, finding.found));
        if finding.standing != Standing::Fine && !finding.help.is_empty() {
            lines.push(format!("  {:<20} {}", "", console::style(&finding.help).dim()));
        }
    }
    lines.join("\n")
}
