//! What was in use, as commits: one for each time that a version was put in use or a workflow was removed, in that order,
//! as the audit log tells. A second export goes on where the one before ended.

use std::{fs, path::Path};

use serde::Serialize;
use windlass_model::{Bundle, Code, Problem, audit::AuditRecord};
use windlass_script::is_valid_name;

use super::{ENTRY, Repository, VERSION, real};
use crate::desk::Desk;

/// What an export did.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// The commit that the branch is at; absent while there is none.
    pub head: Option<String>,
    /// The branch.
    pub branch: String,
    /// The first lines of the commits that were added.
    pub commits: Vec<String>,
}

/// Writes what isn't in the repository yet.
pub fn export(desk: &dyn Desk, folder: &Path) -> Result<Exported, Problem> {
    let repository = open(folder)?;
    let branch = repository.try_git(&["symbolic-ref", "--quiet", "HEAD"], b"")?.map_err(|_| {
        Problem::new(Code::Conflict, format!("no branch is checked out in {}", folder.display()))
            .help("`git switch` to the branch that commits shall be added to")
    })?;
    let branch = String::from_utf8_lossy(&branch).trim().to_owned();
    let head = repository.commit("HEAD")?;
    let last = match head.is_some() {
        true => last(&repository)?,
        false => None,
    };
    desk.settle()?;
    let mut entries = desk.activations(last.as_ref().map_or(0, |(seq, _)| seq - 1))?;
    if let Some((seq, hash)) = &last {
        let is_same = entries.first().is_some_and(|entry| entry.seq == *seq && entry.hash == *hash);
        if !is_same {
            let message = format!("{} holds the history of another installation", folder.display());
            return Err(Problem::new(Code::Conflict, message).help("export to another folder: a new one is made"));
        }
        entries.remove(0);
    }
    let mut stream = Vec::new();
    let mut commits = Vec::new();
    let mut parent = head.clone();
    for entry in &entries {
        if let Some(subject) = commit(desk, entry, &branch, parent.take(), &mut stream)? {
            commits.push(subject);
        }
    }
    let branch_name = branch.trim_start_matches("refs/heads/").to_owned();
    if commits.is_empty() {
        return Ok(Exported { head, branch: branch_name, commits });
    }
    stream.extend_from_slice(b"done\n");
    repository.git(&["fast-import", "--quiet", "--done", "--date-format=raw"], &stream)?;
    repository.git(&["reset", "--quiet", "--hard"], b"")?;
    Ok(Exported { head: repository.commit("HEAD")?, branch: branch_name, commits })
}

/// A repository where nothing can be lost: a new one, or one without changes that aren't committed.
fn open(folder: &Path) -> Result<Repository, Problem> {
    let unusable =
        |error: std::io::Error| Problem::new(Code::System, format!("{} can't be used: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(unusable)?;
    let repository = Repository { folder: real(folder)? };
    if fs::symlink_metadata(repository.folder.join(".git")).is_err() {
        if fs::read_dir(&repository.folder).map_err(unusable)?.next().is_some() {
            let message = format!("{} isn't empty, and isn't a Git repository", folder.display());
            return Err(Problem::new(Code::Conflict, message)
                .help("name an empty folder or a new one, or `git init` there and commit what is in it"));
        }
        repository.git(&["init", "--quiet", "--initial-branch=main"], b"")?;
        return Ok(repository);
    }
    let changes = repository.git(&["status", "--porcelain", "-z", "--untracked-files=all"], b"")?;
    if !changes.is_empty() {
        let text = String::from_utf8_lossy(&changes).into_owned();
        let files: Vec<&str> = text.split('\0').filter(|line| !line.is_empty()).collect();
        let first = files.first().copied().unwrap_or_default().trim();
        let message = format!("{} has changes that aren't committed: {first}", folder.display());
        return Err(Problem::new(Code::Conflict, message)
            .help("commit them or put them away; an export must not overwrite them")
            .data(serde_json::json!({ "changes": files })));
    }
    Ok(repository)
}

/// The newest entry that was exported: its number and its hash.
fn last(repository: &Repository) -> Result<Option<(i64, String)>, Problem> {
    let message = repository.line(&["log", "-1", "--format=%B", &format!("--grep=^{ENTRY}"), "HEAD", "--"])?;
    // What somebody wrote as a reason stands above our own lines.
    let Some(line) = message.lines().rev().find_map(|line| line.strip_prefix(ENTRY)) else { return Ok(None) };
    let parsed = line.split_once(' ').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.to_owned())));
    Ok(parsed)
}

/// Adds a commit to the stream; its first line, unless the entry is of another kind.
fn commit(
    desk: &dyn Desk,
    entry: &AuditRecord,
    branch: &str,
    parent: Option<String>,
    stream: &mut Vec<u8>,
) -> Result<Option<String>, Problem> {
    let name = &entry.target;
    if !is_valid_name(name) {
        return Err(Problem::new(Code::Storage, format!("the audit log names a workflow `{name}`")));
    }
    let text = |key: &str| entry.after[key].as_str().unwrap_or_default();
    let (version, files) = match entry.action.as_str() {
        "workflow.activate" => {
            let files = match desk.bundle(text("digest")) {
                Ok(bundle) => changes(&bundle)?,
                // A version that is long gone left its entry, and no sources.
                Err(problem) if problem.code == Code::NotFound => Vec::new(),
                Err(problem) => return Err(problem),
            };
            (format!("{name}@{}", entry.after["version"]), files)
        }
        "workflow.remove" => (name.clone(), format!("D {name}.rhai\n").into_bytes()),
        _ => return Ok(None),
    };
    let why = text("why").trim();
    let (first, rest) = why.split_once('\n').unwrap_or((why, ""));
    let subject = match (first, entry.action == "workflow.remove") {
        (_, true) => format!("{name}: removed"),
        ("", false) => version.clone(),
        (first, false) => format!("{version}: {}", first.trim()),
    };
    let body = if rest.trim().is_empty() { String::new() } else { format!("{}\n\n", rest.trim()) };
    let message = format!("{subject}\n\n{body}{VERSION}{version}\n{ENTRY}{} {}\n", entry.seq, entry.hash);
    let seconds = entry.at_ms.max(0) / 1_000;
    let author = match text("by") {
        "" => &entry.actor,
        by => by,
    };
    let mut put = |text: &str| stream.extend_from_slice(text.as_bytes());
    put(&format!("commit {branch}\nauthor {} {seconds} +0000\n", person(author)));
    put(&format!("committer Windlass <> {seconds} +0000\ndata {}\n{message}", message.len()));
    if let Some(parent) = parent {
        put(&format!("from {parent}\n"));
    }
    stream.extend_from_slice(&files);
    stream.push(b'\n');
    Ok(Some(subject))
}

/// A version's files, itself and what it imports.
fn changes(bundle: &Bundle) -> Result<Vec<u8>, Problem> {
    let mut stream = Vec::new();
    for (name, source) in &bundle.files {
        if !is_valid_name(name) {
            return Err(Problem::new(Code::Storage, format!("the sources hold a file `{name}`")));
        }
        stream.extend_from_slice(format!("M 100644 inline {name}.rhai\ndata {}\n", source.len()).as_bytes());
        stream.extend_from_slice(source.as_bytes());
        stream.push(b'\n');
    }
    Ok(stream)
}

/// `Ann <ann@example.net>`, also from `Ann <ann@example.net> via admin`; without an address if there is none.
fn person(by: &str) -> String {
    let clean = |text: &str| text.replace(['<', '>', '\n', '\r', '\0'], " ").trim().to_owned();
    let split = by.split_once('<').and_then(|(name, rest)| Some((name, rest.split_once('>')?.0)));
    let (name, address) = split.unwrap_or((by, ""));
    let name = clean(name);
    format!("{} <{}>", if name.is_empty() { "unknown" } else { &name }, clean(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_written_as_git_reads_them() {
        assert_eq!(person("admin"), "admin <>");
        assert_eq!(person("Ann O. <ann@example.net> via token:ci"), "Ann O. <ann@example.net>");
        let odd = person("evil\ncommitter <x\n<y> 0 +0000");
        assert_eq!(odd.matches(['<', '>', '\n']).count(), 2, "{odd}");
        assert_eq!(person("<>"), "unknown <>");
    }
}
