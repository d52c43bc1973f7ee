//! Skipping a test out loud: a skipped test is counted, named in the summary, and is a failure on CI. Unit tests of other crates
//! take this file in by its path: it needs nothing but the standard library.

use std::{env, fs::OpenOptions, io::Write as _, path::PathBuf, thread};

/// Environment variable that names the file to which skipped tests are appended, one `test<TAB>reason` a line.
pub const SKIPS_FILE: &str = "WINDLASS_SKIPS";

/// Says that this test can't run here. The test has to return right after.
///
/// # Panics
/// Under `CI=true`: what CI skips, nobody tests.
#[allow(clippy::print_stderr)]
pub fn skip(reason: &str) {
    let test = thread::current().name().unwrap_or("unnamed test").to_owned();
    eprintln!("SKIPPED {test}: {reason}");
    if let Some(file) = env::var_os(SKIPS_FILE) {
        record(&PathBuf::from(file), &test, reason);
    }
    assert!(!on_ci(env::var("CI").ok().as_deref()), "{test} was skipped on CI: {reason}");
}

pub(super) fn record(file: &PathBuf, test: &str, reason: &str) {
    let line = format!("{test}\t{}\n", reason.replace(['\n', '\t'], " "));
    // One write of one short line in append mode: tests of several processes don't mix their lines.
    let written =
        OpenOptions::new().create(true).append(true).open(file).and_then(|mut file| file.write_all(line.as_bytes()));
    assert!(written.is_ok(), "can't note a skipped test in {}: {written:?}", file.display());
}

pub(super) fn on_ci(value: Option<&str>) -> bool {
    matches!(value, Some("true" | "1"))
}
