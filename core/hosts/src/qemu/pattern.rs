//! What `wait_serial` looks for.

use regex::bytes::{Regex, RegexBuilder};
use windlass_model::Problem;

use crate::support::invalid;

const PATTERN_CHARS: usize = 1_000;
const COMPILED_BYTES: usize = 1 << 20;

/// A regular expression of bounded size, over bytes: a guest may say anything. It takes time linear in what it reads.
pub struct Pattern(Regex);

impl Pattern {
    /// Reads a pattern.
    pub fn new(text: &str) -> Result<Self, Problem> {
        if text.is_empty() || text.len() > PATTERN_CHARS {
            return Err(invalid(format!("a pattern has 1 to {PATTERN_CHARS} characters")));
        }
        let built = RegexBuilder::new(text).multi_line(true).size_limit(COMPILED_BYTES).build();
        let wrong = |error| {
            invalid(format!("`pattern`: {error}")).help("a regular expression; `\\` before what is meant as it stands")
        };
        built.map(Self).map_err(wrong)
    }

    /// What it stands for in there, and where that ends.
    pub fn find(&self, text: &[u8]) -> Option<(String, usize)> {
        let found = self.0.find(text)?;
        Some((String::from_utf8_lossy(found.as_bytes()).into_owned(), found.end()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}
