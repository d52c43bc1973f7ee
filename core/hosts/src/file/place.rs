//! Where a path leads: first by its text, then by what is really there.

use std::{
    fs::File,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Component, Path, PathBuf},
};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{Config, backup};
use crate::support;

pub(super) const READ: &str = "file.read";
pub(super) const WRITE: &str = "file.write";

const ATTEMPTS: usize = 1_000;

/// A path inside a declared folder, in canonical writing.
pub(super) struct Place {
    /// As the script wrote it.
    pub(super) path: PathBuf,
    folder: PathBuf,
    /// Below `folder`; empty for the folder itself.
    relative: PathBuf,
}

/// A folder that was really reached, and the name that stands in it.
pub(super) struct Parent {
    pub(super) fd: File,
    pub(super) name: String,
}

impl Place {
    /// Reads a path. Refused are relative ones, any with `.`, `..` or `//`, those outside, and our own backups.
    pub(super) fn new(config: &Config, text: &str) -> Result<Self, Problem> {
        let path = Path::new(text);
        let canonical: PathBuf = path.components().collect();
        let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        if !path.is_absolute()
            || !plain
            || canonical.as_os_str() != path.as_os_str()
            || text.contains('\0')
            || text.len() > 4_000
        {
            return Err(support::invalid(format!(
                "`{}` isn't an absolute path without `.`, `..` and `//`",
                text.escape_debug()
            )));
        }
        let Some(folder) = config.folder_of(path) else {
            return Err(Problem::new(Code::PermissionDenied, format!("{text} is in no folder that scripts may use"))
                .help("an administrator declares folders with `folders = […]` under [hosts.file]")
                .no_effect());
        };
        let relative = path.strip_prefix(folder).unwrap_or(Path::new("")).to_owned();
        if relative.components().any(|part| backup::is_ours(&part.as_os_str().to_string_lossy())) {
            return Err(support::invalid(format!("{text}: names with `.windlass-` are kept for backups")));
        }
        Ok(Self { path: canonical, folder: folder.clone(), relative })
    }

    pub(super) fn shown(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// Opens what is there for reading. Links are followed as long as they stay inside the folder and the grants.
    pub(super) fn open(&self, cx: &OpCx, flags: OFlag) -> Result<File, Problem> {
        let root = self.root()?;
        let file = self.beneath(&root, &self.relative, flags | OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        self.check(cx, READ, &root, &file, None)?;
        Ok(file)
    }

    /// Opens the folder in which the path's last part stands, to change something there.
    pub(super) fn parent(&self, cx: &OpCx, verb: &str) -> Result<Parent, Problem> {
        let name = self.relative.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| support::invalid(format!("{} is a folder", self.shown())))?.to_owned();
        let root = self.root()?;
        let above = self.relative.parent().unwrap_or(Path::new(""));
        let fd = self.beneath(&root, above, OFlag::O_DIRECTORY | OFlag::O_RDONLY)?;
        self.check(cx, verb, &root, &fd, Some(&name))?;
        Ok(Parent { fd, name })
    }

    fn root(&self) -> Result<OwnedFd, Problem> {
        let mut options = std::fs::OpenOptions::new();
        let root = options.read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(&self.folder);
        root.map(OwnedFd::from).map_err(|error| support::system(self.folder.display(), &error).no_effect())
    }

    /// The kernel resolves the path and refuses every way out: `..`, absolute links, links of /proc.
    fn beneath(&self, root: &OwnedFd, relative: &Path, flags: OFlag) -> Result<File, Problem> {
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let mut opened = openat2(root, relative, how);
        for _ in 0..ATTEMPTS {
            // Something was renamed anywhere on the machine while a `..` was resolved: the kernel wants to be asked again.
            if !matches!(opened, Err(nix::errno::Errno::EAGAIN)) {
                break;
            }
            std::thread::yield_now();
            opened = openat2(root, relative, how);
        }
        opened.map(File::from).map_err(|error| match error {
            nix::errno::Errno::EXDEV => Problem::new(
                Code::PermissionDenied,
                format!("a link on the way to {} leads out of {}", self.shown(), self.folder.display()),
            )
            .no_effect(),
            error => support::system(self.shown(), &error.into()).no_effect(),
        })
    }

    /// Links may lead from a path that is granted to one that isn't: what counts is where one has come out.
    fn check(&self, cx: &OpCx, verb: &str, root: &OwnedFd, reached: &File, name: Option<&str>) -> Result<(), Problem> {
        let inside = real_path(reached)?;
        let inside = inside.strip_prefix(real_path(root)?).unwrap_or(&inside);
        let mut path = self.folder.join(inside);
        if let Some(name) = name {
            path.push(name);
        }
        // Joined with nothing, a path ends in a slash.
        let path: PathBuf = path.components().collect();
        let granted = path.to_str().is_some_and(|path| cx.is_granted(verb, path));
        let ours = backup::is_ours(&path.file_name().unwrap_or_default().to_string_lossy());
        if granted && !ours {
            return Ok(());
        }
        let grant = format!("{verb}:{}", path.display());
        Err(Problem::new(
            Code::PermissionDenied,
            format!("{} leads to {}, which the run isn't granted", self.shown(), path.display()),
        )
        .data(serde_json::json!({ "grant": grant }))
        .no_effect())
    }
}

/// A path that leads to exactly what is open, whatever its names are now.
pub(super) fn opened_path(fd: &impl AsFd) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()).into()
}

fn real_path(fd: &impl AsFd) -> Result<PathBuf, Problem> {
    std::fs::read_link(opened_path(fd)).map_err(|error| support::system("/proc/self/fd", &error).no_effect())
}
