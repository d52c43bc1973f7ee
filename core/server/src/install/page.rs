//! The interface's files, from the binary to the folder that the front door serves.

use std::{collections::BTreeSet, fs, path::Path};

use windlass_model::Problem;

use super::{
    hand::{self, Hand, Mark},
    layout::PAGE,
};
use crate::site::SITE;

/// Writes this program's page. Files that it names come before it; those of the page before stay one version longer, for browsers that
/// have that open.
pub fn write(hand: &mut Hand) -> Result<(), Problem> {
    let folder = hand.layout.at(PAGE);
    if SITE.files.is_empty() {
        hand.note(Mark::Left, PAGE, "this program was built without the interface");
        return Ok(());
    }
    let before = fs::read_to_string(folder.join("index.html")).unwrap_or_default();
    let mut files: Vec<_> = SITE.files.iter().collect();
    files.sort_by_key(|file| file.path == "/index.html");
    let mut keep = BTreeSet::new();
    let mut changed = 0;
    for file in files {
        let forms = [
            (file.path.to_owned(), Some(file.plain)),
            (format!("{}.gz", file.path), file.gzip),
            (format!("{}.br", file.path), file.brotli),
        ];
        for (path, content) in forms {
            let target = folder.join(path.trim_start_matches('/'));
            let Some(content) = content else {
                // A form of the page before would be served in this one's place.
                if !hand.is_dry() {
                    let _ = fs::remove_file(&target);
                }
                continue;
            };
            if hand::read(&target)?.as_deref() != Some(content) {
                changed += 1;
                if !hand.is_dry() {
                    hand::write(&target, content, 0o644, None)?;
                }
            }
            keep.insert(target);
        }
    }
    if changed > 0 && !hand.is_dry() {
        sweep(&folder.join("assets"), &keep, &before);
    }
    let mark = if changed > 0 { Mark::Changed } else { Mark::Same };
    hand.note(mark, PAGE, format!("{} files of the interface, {changed} of them new", keep.len()));
    Ok(())
}

/// Removes files that neither this page nor the one before can name.
fn sweep(folder: &Path, keep: &BTreeSet<std::path::PathBuf>, before: &str) {
    // The page names its entries, and those name the rest: without a walk through them, what is as old as the page before stays.
    let aged = |path: &Path| {
        let written = fs::metadata(path).and_then(|found| found.modified()).ok();
        written.and_then(|written| written.elapsed().ok()).is_some_and(|age| age.as_secs() > 90 * 24 * 3_600)
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let named = before.contains(&*entry.file_name().to_string_lossy());
        if !keep.contains(&path) && !named && aged(&path) {
            let _ = fs::remove_file(path);
        }
    }
}
