//! Does what an installation takes, one thing after the other, and notes what was changed. What is there already stays as it is.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    process::{Command, Output, Stdio},
};

use serde::Serialize;
use windlass_model::{Code, Problem};

use super::{layout::Layout, record::Record};

/// What became of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It was so already.
    Same,
    /// It was changed, or made; or would be.
    Changed,
    /// A person has changed it: what it would be stands beside it, in a file `.new`.
    Kept,
    /// It can't be done from here, and is left to do.
    Left,
}

/// A thing that was done.
#[derive(Clone, Debug, Serialize)]
pub struct Done {
    /// What became of it.
    pub mark: Mark,
    /// A file, a link or a command.
    pub what: String,
    /// More about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What a file would hold, or a command would read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// A file to be.
pub struct File<'a> {
    /// Its absolute path in the root.
    pub path: &'a str,
    /// What it holds.
    pub content: &'a [u8],
    /// Its mode.
    pub mode: u32,
    /// Whose it is: a user and a group.
    pub owner: (&'a str, &'a str),
    /// Whether people change it: then theirs stays.
    pub theirs: bool,
}

/// Does things, or says what it would do.
pub struct Hand<'a> {
    /// Where.
    pub layout: &'a Layout,
    /// What was asked for, and what was written before.
    pub record: Record,
    /// What was done.
    pub done: Vec<Done>,
    dry: bool,
}

impl<'a> Hand<'a> {
    /// One that does things, or only says so.
    pub fn new(layout: &'a Layout, record: Record, dry: bool) -> Self {
        Self { layout, record, done: Vec::new(), dry }
    }

    /// Whether it only says what it would do.
    pub fn is_dry(&self) -> bool {
        self.dry
    }

    /// Whether one of these was changed.
    pub fn has_changed(&self, paths: &[&str]) -> bool {
        self.done.iter().any(|done| done.mark == Mark::Changed && paths.contains(&done.what.as_str()))
    }

    /// Notes something.
    pub fn note(&mut self, mark: Mark, what: impl Into<String>, note: impl Into<String>) {
        self.done.push(Done { mark, what: what.into(), note: note.into(), content: None });
    }

    /// Writes a file, unless it is so already, or a person has changed it.
    pub fn file(&mut self, file: &File) -> Result<(), Problem> {
        let path = self.layout.at(file.path);
        let present = read(&path)?;
        let owner = self.owner(file.owner);
        let rights = format!("{:04o} {}:{}", file.mode, file.owner.0, file.owner.1);
        let wanted = digest(file.content);
        if present.as_deref() == Some(file.content) {
            let fits = self.fits(&path, file.mode, owner)?;
            if !fits && !self.dry {
                set_rights(&path, file.mode, owner)?;
            }
            self.note(if fits { Mark::Same } else { Mark::Changed }, file.path, rights);
        } else if file.theirs && present.as_deref().is_some_and(|present| self.is_theirs(file.path, present)) {
            let beside = format!("{}.new", file.path);
            if !self.dry {
                write(&self.layout.at(&beside), file.content, file.mode, owner)?;
            }
            self.note(Mark::Kept, file.path, format!("somebody has changed it: what it would be is {beside}"));
            return Ok(());
        } else {
            let content = self.dry.then(|| String::from_utf8_lossy(file.content).into_owned());
            if !self.dry {
                write(&path, file.content, file.mode, owner)?;
            }
            self.done.push(Done { mark: Mark::Changed, what: file.path.to_owned(), note: rights, content });
        }
        if file.theirs {
            self.record.written.insert(file.path.to_owned(), wanted);
        }
        Ok(())
    }

    /// Whether what stands there is neither what we wrote nor nothing.
    fn is_theirs(&self, path: &str, present: &[u8]) -> bool {
        self.record.written.get(path).is_none_or(|written| *written != digest(present))
    }

    /// Makes a symbolic link lead there, in one step.
    pub fn link(&mut self, path: &str, target: &str) -> Result<(), Problem> {
        let link = self.layout.at(path);
        if fs::read_link(&link).is_ok_and(|present| present == Path::new(target)) {
            self.note(Mark::Same, path, format!("leads to {target}"));
            return Ok(());
        }
        if fs::symlink_metadata(&link).is_ok_and(|found| !found.is_symlink()) {
            return Err(Problem::new(Code::Conflict, format!("{} is there, and no link", link.display()))
                .help("somebody else has put it there: move it away"));
        }
        if !self.dry {
            make_parent(&link)?;
            let draft = link.with_extension(format!("{}.new", std::process::id()));
            let _ = fs::remove_file(&draft);
            let made = std::os::unix::fs::symlink(target, &draft).and_then(|()| fs::rename(&draft, &link));
            made.map_err(|error| unwritable(&link, &error))?;
        }
        self.note(Mark::Changed, path, format!("leads to {target}"));
        Ok(())
    }

    /// Whether there is a symbolic link that leads into a folder.
    pub fn leads(&self, path: &str, folder: &str) -> bool {
        fs::read_link(self.layout.at(path)).is_ok_and(|target| target.starts_with(folder))
    }

    /// Runs a program that changes something.
    pub fn run(&mut self, words: &[&str], why: &str) -> Result<(), Problem> {
        self.run_with(words, why, None)
    }

    /// As `run`; the program reads this.
    pub fn run_with(&mut self, words: &[&str], why: &str, input: Option<&str>) -> Result<(), Problem> {
        if !self.dry {
            let output = call(words, input)?;
            if !output.status.success() {
                return Err(failed(words, &output));
            }
        }
        self.note(Mark::Changed, words.join(" "), why);
        Ok(())
    }

    /// Whether a program that only looks ends well. Nobody knows while nothing is done: then it says no.
    pub fn holds(&self, words: &[&str]) -> bool {
        call(words, None).is_ok_and(|output| output.status.success())
    }

    /// What a program that only looks says.
    pub fn says(&self, words: &[&str]) -> Option<String> {
        let output = call(words, None).ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The numbers of a user and a group there; of one that is only to be made there are none yet.
    fn owner(&self, (user, group): (&str, &str)) -> Option<(u32, u32)> {
        Some((self.layout.id("passwd", user)?, self.layout.id("group", group)?))
    }

    fn fits(&self, path: &Path, mode: u32, owner: Option<(u32, u32)>) -> Result<bool, Problem> {
        let found = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        Ok(found.mode() & 0o7777 == mode && owner.is_none_or(|owner| owner == (found.uid(), found.gid())))
    }
}

/// Words of a command line, to be run.
pub fn words_of(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Runs a program to its end.
pub fn call(words: &[&str], input: Option<&str>) -> Result<Output, Problem> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Problem::new(Code::Internal, "a command without words"));
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    // What is meant for whoever called us isn't for others.
    for name in ["WINDLASS_CONFIG", "WINDLASS_SERVER", "WINDLASS_TOKEN"] {
        command.env_remove(name);
    }
    let missing = |error: std::io::Error| {
        Problem::new(Code::System, format!("the program `{program}` can't be started: {error}"))
            .help("a Debian server with what Windlass needs: apt-get install postgresql caddy")
    };
    let mut child = command.spawn().map_err(missing)?;
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), input) {
        // A program that doesn't read ends by itself, and says why.
        let _ = pipe.write_all(text.as_bytes());
    }
    child.wait_with_output().map_err(missing)
}

/// A program that ended badly, with what it said.
pub fn failed(words: &[&str], output: &Output) -> Problem {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let said = Some(text(&output.stderr)).filter(|text| !text.is_empty()).unwrap_or_else(|| text(&output.stdout));
    let shown: String = said.chars().take(2_000).collect();
    Problem::new(Code::CommandFailed, format!("`{}` failed ({}): {shown}", words.join(" "), output.status))
}

/// What tells a content apart from others.
pub fn digest(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

/// A file's content; none if there is no file.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Problem> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Writes a file: complete or not at all, and never readable for more than it is meant for.
pub fn write(path: &Path, content: &[u8], mode: u32, owner: Option<(u32, u32)>) -> Result<(), Problem> {
    make_parent(path)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.part", std::process::id()));
    let draft = std::path::PathBuf::from(draft);
    let open = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
    open.and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .map_err(|error| unwritable(path, &error))?;
    set_rights(&draft, mode, owner)?;
    fs::rename(&draft, path).map_err(|error| unwritable(path, &error))
}

fn set_rights(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> Result<(), Problem> {
    let owned = owner.map_or(Ok(()), |(user, group)| std::os::unix::fs::chown(path, Some(user), Some(group)));
    owned
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(|error| unwritable(path, &error))
}

fn make_parent(path: &Path) -> Result<(), Problem> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))
}

/// A place that can't be written to.
pub fn unwritable(path: &Path, error: &std::io::Error) -> Problem {
    let problem = Problem::new(Code::Storage, format!("{} can't be written: {error}", path.display()));
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        problem.help("this takes root: `sudo windlass …`")
    } else {
        problem
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(Code::Storage, format!("{} can't be read: {error}", path.display()))
}
