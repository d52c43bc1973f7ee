//! A commit's files, as versions: all of them, or none. What could be a trick of a path is refused before anything is read.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;
use serde_json::json;
use windlass_model::{Code, Problem};
use windlass_script::is_valid_name;

use super::{ENTRY, Repository, VERSION, real};
use crate::{
    desk::{Desk, archive::Saved},
    versions::Author,
};

/// Files that are imported at once, at most.
const FILES: usize = 1_000;
/// Bytes of all of them, at most.
const BYTES: u64 = 32 << 20;
/// Characters of a reason that are kept.
const WHY_CHARS: usize = 1_000;

/// What an import did.
#[derive(Debug, Serialize)]
pub struct Imported {
    /// The commit.
    pub commit: String,
    /// What wasn't there like this before.
    pub changed: Vec<Saved>,
    /// Names of what was.
    pub unchanged: Vec<String>,
    /// Names of workflows that the commit doesn't have; they stay as they are.
    pub others: Vec<String>,
}

/// A file of a commit.
struct Blob {
    name: String,
    id: String,
}

/// Takes the files of a commit, below `under` if it is given.
pub fn import(
    desk: &dyn Desk,
    folder: &Path,
    reference: &str,
    under: Option<&str>,
    author: Author,
) -> Result<Imported, Problem> {
    let repository = Repository { folder: real(folder)? };
    if repository.try_git(&["rev-parse", "--git-dir"], b"")?.is_err() {
        let message = format!("{} isn't a Git repository", folder.display());
        return Err(Problem::new(Code::NotFound, message).help("name the folder that `.git` is in"));
    }
    let commit = repository.commit(reference)?.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("{} has no commit `{reference}`", folder.display()))
            .help("--ref takes a branch, a tag or a commit")
    })?;
    let blobs = blobs(&repository, &commit, under)?;
    let files = read(&repository, &blobs)?;
    let (made_by, why) = told(&repository, &commit)?;
    let author = Author { why, made_by: Some(made_by), ..author };
    let saved = desk.save_all(&files, &author)?;
    let mut others = desk.workflow_names()?;
    others.retain(|name| !files.contains_key(name));
    Ok(Imported { commit, changed: saved.changed, unchanged: saved.unchanged, others })
}

/// The workflows and modules of a commit. One path that is odd refuses them all.
fn blobs(repository: &Repository, commit: &str, under: Option<&str>) -> Result<Vec<Blob>, Problem> {
    let tree = format!("{commit}:{}", under.unwrap_or_default().trim_matches('/'));
    let listed = repository.try_git(&["ls-tree", "-r", "-z", "-l", "--full-tree", &tree], b"")?;
    let listed = listed
        .map_err(|said| Problem::new(Code::NotFound, format!("there is no such folder in the commit: {said}")))?;
    let (mut blobs, mut refused, mut bytes) = (Vec::new(), Vec::new(), 0_u64);
    for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let line = String::from_utf8_lossy(line);
        let Some((head, path)) = line.split_once('\t') else { continue };
        let words: Vec<&str> = head.split_whitespace().collect();
        let [mode, _, id, size] = words[..] else { continue };
        match judged(mode, path) {
            Ok(None) => {}
            Ok(Some(name)) => {
                bytes += size.parse().unwrap_or(BYTES);
                blobs.push(Blob { name, id: id.to_owned() });
            }
            Err(why) => refused.push(format!("{path:?}: {why}")),
        }
    }
    if !refused.is_empty() {
        let message =
            format!("the commit can't be taken: {}", refused.iter().take(10).cloned().collect::<Vec<_>>().join("; "));
        return Err(Problem::new(Code::InvalidInput, message)
            .help("nothing was changed; workflows stand in files such as `lab/two-routers.rhai`; --under names their folder")
            .data(json!({ "refused": refused })));
    }
    if blobs.is_empty() {
        return Err(Problem::new(Code::NotFound, "the commit has no workflows")
            .help("they stand in files such as `lab/two-routers.rhai`; --under names their folder"));
    }
    if blobs.len() > FILES || bytes > BYTES {
        let message =
            format!("the commit has {} files of {bytes} bytes; at most {FILES} of {BYTES} are taken", blobs.len());
        return Err(Problem::new(Code::LimitExceeded, message));
    }
    Ok(blobs)
}

/// The name of the workflow or module at a path; `None` for files that are none, such as a README.
fn judged(mode: &str, path: &str) -> Result<Option<String>, &'static str> {
    match mode {
        "120000" => return Err("a symbolic link"),
        "160000" => return Err("another repository"),
        _ => {}
    }
    let odd = |part: &str| matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git");
    if path.split('/').any(odd) || path.contains(['\\', '\u{fffd}']) || path.chars().any(char::is_control) {
        return Err("such a path leads elsewhere, or can't be written everywhere");
    }
    let Some(name) = path.strip_suffix(".rhai") else { return Ok(None) };
    if name.ends_with(".test") {
        return Ok(None);
    }
    match is_valid_name(name) && name.contains('/') {
        true => Ok(Some(name.to_owned())),
        false => Err("that can't be a workflow's name"),
    }
}

fn read(repository: &Repository, blobs: &[Blob]) -> Result<BTreeMap<String, String>, Problem> {
    let ids: String = blobs.iter().map(|blob| format!("{}\n", blob.id)).collect();
    let answer = repository.git(&["cat-file", "--batch"], ids.as_bytes())?;
    let broken = || Problem::new(Code::CommandFailed, "`git cat-file` answered with something else");
    let (mut rest, mut files) = (&answer[..], BTreeMap::new());
    for blob in blobs {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(broken)?;
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        let size: usize = head.rsplit(' ').next().and_then(|size| size.parse().ok()).ok_or_else(broken)?;
        let content = rest.get(end + 1..end + 1 + size).ok_or_else(broken)?;
        rest = rest.get(end + 2 + size..).ok_or_else(broken)?;
        let text = String::from_utf8(content.to_vec()).map_err(|_| {
            Problem::new(Code::WorkflowInvalid, format!("{}.rhai isn't UTF-8", blob.name)).help("nothing was changed")
        })?;
        files.insert(blob.name.clone(), text);
    }
    Ok(files)
}

/// Who made a commit, and why: its message without the lines that an export adds, and its id.
fn told(repository: &Repository, commit: &str) -> Result<(String, String), Problem> {
    let shown =
        repository.git(&["show", "--no-patch", "--encoding=UTF-8", "--format=%an <%ae>%x00%B", commit, "--"], b"")?;
    let shown = String::from_utf8_lossy(&shown).into_owned();
    let (who, message) = shown.split_once('\0').unwrap_or((&shown, ""));
    let ours = |line: &&str| line.starts_with(ENTRY) || line.starts_with(VERSION);
    let message: Vec<&str> = message.lines().filter(|line| !ours(line)).collect();
    let message: String = message.join("\n").trim().replace('\0', " ").chars().take(WHY_CHARS).collect();
    let who: String = who.trim().chars().filter(|c| !c.is_control()).take(200).collect();
    Ok((who, format!("{message}\n\nCommit {commit}").trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_name_or_refused() {
        assert_eq!(judged("100644", "lab/x.rhai"), Ok(Some("lab/x".into())));
        assert_eq!(judged("100755", "lib/a-b_c.rhai"), Ok(Some("lib/a-b_c".into())));
        assert_eq!(judged("100644", "README.md"), Ok(None));
        assert_eq!(judged("100644", "lab/x.test.rhai"), Ok(None));
        let odd = [
            "../x.rhai",
            "lab/../x.rhai",
            "lab//x.rhai",
            "x.rhai",
            "lab/-x.rhai",
            "lab/a b.rhai",
            ".git/hooks/x",
            "lab/.GIT/x",
            "lab\\x.rhai",
            "lab/x\n.rhai",
            "/etc/x.rhai",
            "lab/.x.rhai",
            "docs/../../x",
        ];
        for path in odd {
            assert!(judged("100644", path).is_err(), "{path}");
        }
        assert!(judged("120000", "README.md").is_err());
        assert!(judged("160000", "lab").is_err());
    }
}
