//! The real files.

use std::{
    fs::File,
    io::{Read, Write},
    os::{fd::AsFd, unix::ffi::OsStringExt},
    time::SystemTime,
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat, readlinkat, renameat},
    sys::stat::{FileStat, Mode, SFlag, fchmod, fstatat},
    unistd::{Gid, Group, Uid, User, fchown, symlinkat},
};
use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    Backend, Entry, New,
    backup::{self, Names, Restored},
    place::{Parent, Place, READ, WRITE, opened_path},
};
use crate::support;

pub(super) const FILE_BYTES: usize = 4 << 20;
const FOLDER_ENTRIES: usize = 10_000;

pub(super) struct Disk {
    pub(super) backup_days: u32,
}

impl Backend for Disk {
    fn read(&self, cx: &OpCx, place: &Place) -> Result<Vec<u8>, Problem> {
        let file = place.open(cx, OFlag::empty())?;
        let failed = |error| support::system(place.shown(), &error).no_effect();
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(support::invalid(format!("{} isn't a regular file", place.shown())));
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > FILE_BYTES {
            return Err(
                Problem::new(Code::LimitExceeded, format!("{} is longer than 4 MiB", place.shown())).no_effect()
            );
        }
        Ok(bytes)
    }

    fn stat(&self, cx: &OpCx, place: &Place) -> Result<Value, Problem> {
        let absent = json!({ "exists": false, "kind": null, "bytes": null, "mode": null, "target": null });
        let parent = match place.parent(cx, READ) {
            Err(problem) if problem.code == Code::NotFound => return Ok(absent),
            parent => parent?,
        };
        let Some(stat) = look(&parent, place)? else { return Ok(absent) };
        let kind = kind(SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()));
        let target = readlinkat(&parent.fd, parent.name.as_str()).ok();
        let target = target.map(|target| String::from_utf8_lossy(&target.into_vec()).into_owned());
        Ok(
            json!({ "exists": true, "kind": kind, "bytes": stat.st_size, "mode": stat.st_mode & 0o7777, "target": target }),
        )
    }

    fn list(&self, cx: &OpCx, place: &Place) -> Result<Vec<(String, &'static str)>, Problem> {
        let folder = place.open(cx, OFlag::O_DIRECTORY)?;
        let failed = |error: std::io::Error| support::system(place.shown(), &error).no_effect();
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(opened_path(&folder)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if backup::is_ours(&name) {
                continue;
            }
            if entries.len() == FOLDER_ENTRIES {
                let message = format!("{} holds more than {FOLDER_ENTRIES} entries", place.shown());
                return Err(Problem::new(Code::LimitExceeded, message).no_effect());
            }
            let kind = entry.file_type().map_err(failed)?;
            entries.push((
                name,
                match () {
                    () if kind.is_file() => "file",
                    () if kind.is_dir() => "folder",
                    () if kind.is_symlink() => "link",
                    () => "other",
                },
            ));
        }
        entries.sort();
        Ok(entries)
    }

    fn put(&self, cx: &OpCx, place: &Place, new: New) -> Result<(), Problem> {
        let parent = place.parent(cx, WRITE)?;
        let names = Names::of(cx, &parent.name);
        let old = look(&parent, place)?;
        if old.is_some_and(|old| is_folder(&old)) {
            return Err(support::invalid(format!("{} is a folder", place.shown())));
        }
        let failed = |error: std::io::Error| {
            // The temporary file takes room that may be what is missing.
            let _ = backup::remove(&parent, &names.temporary);
            support::system(place.shown(), &error).no_effect()
        };
        backup::remove(&parent, &names.temporary).map_err(failed)?;
        match &new.entry {
            Entry::Link { target } => {
                symlinkat(target.as_str(), &parent.fd, names.temporary.as_str()).map_err(|e| failed(e.into()))?
            }
            Entry::File { bytes, mode } => {
                // A link has no mode of its own. Who runs a program under another name is nothing that a new file keeps.
                let kept = old.filter(|old| !new.mode_is_given && is_file(old)).map(|old| old.st_mode & 0o777);
                let owner = new.owner.as_deref().map(owner).transpose()?;
                write_new(&parent, &names.temporary, bytes, kept.unwrap_or(*mode), owner).map_err(failed)?;
            }
        }
        names.keep_and_remember(&parent).map_err(failed)?;
        renameat(&parent.fd, names.temporary.as_str(), &parent.fd, parent.name.as_str())
            .map_err(|error| failed(error.into()))?;
        parent.fd.sync_all().map_err(|error| support::system(place.shown(), &error))?;
        if let Err(error) = backup::prune(&parent, self.oldest_backup_s()) {
            tracing::warn!(%error, path = %place.shown(), "old backups can't be removed");
        }
        Ok(())
    }

    fn remove(&self, cx: &OpCx, place: &Place) -> Result<bool, Problem> {
        let parent = place.parent(cx, WRITE)?;
        let failed = |error: std::io::Error| support::system(place.shown(), &error);
        let Some(old) = look(&parent, place)? else { return Ok(false) };
        if is_folder(&old) {
            return Err(support::invalid(format!("{} is a folder", place.shown())));
        }
        Names::of(cx, &parent.name).keep(&parent).map_err(failed).map_err(Problem::no_effect)?;
        let removed = backup::remove(&parent, &parent.name).map_err(failed)?;
        parent.fd.sync_all().map_err(failed)?;
        Ok(removed)
    }

    fn restore(&self, cx: &OpCx, place: &Place) -> Result<bool, Problem> {
        // By hand there is no step to take back.
        let Some(undone) = &cx.undoes else { return Ok(false) };
        let parent = place.parent(cx, WRITE)?;
        let restored = Names::of(cx, &parent.name).restore(&parent);
        match restored.map_err(|error| support::system(place.shown(), &error))? {
            Restored::Done => Ok(true),
            Restored::NoTrace if !self.may_be_pruned(undone) => Ok(false),
            Restored::NoTrace | Restored::Lost => Err(self.lost(place, undone)),
            Restored::Replaced => Err(replaced(place, undone)),
        }
    }

    fn discard(&self, cx: &OpCx, place: &Place) -> Result<usize, Problem> {
        let parent = place.parent(cx, WRITE)?;
        backup::discard(cx, &parent).map_err(|error| support::system(place.shown(), &error))
    }
}

impl Disk {
    fn oldest_backup_s(&self) -> i64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        i64::try_from(now).unwrap_or(0) - i64::from(self.backup_days) * 86_400
    }

    /// Whether backups of this step may be so old that somebody's change has dropped them. A run's id says when it was
    /// launched; one that says nothing is taken for old.
    fn may_be_pruned(&self, key: &str) -> bool {
        let launched_ms = key.split('/').next().and_then(|run| ulid::Ulid::from_string(run).ok());
        let launched_s = launched_ms.map(|id| i64::try_from(id.timestamp_ms() / 1_000).unwrap_or(i64::MAX));
        launched_s.is_none_or(|launched_s| launched_s <= self.oldest_backup_s())
    }

    fn lost(&self, place: &Place, key: &str) -> Problem {
        let days = self.backup_days;
        let message = format!(
            "what step {key} has replaced at {} isn't kept any more: backups are dropped after {days} days",
            place.shown()
        );
        Problem::new(Code::UndoFailed, message)
            .help(format!(
                "see whether {} is as it should be, put it right by hand, and skip the entry; runs that may be undone \
                 later need a larger hosts.file.backup_days",
                place.shown()
            ))
            .data(json!({ "path": place.shown().to_string(), "step": key }))
    }
}

fn replaced(place: &Place, key: &str) -> Problem {
    let message = format!("{} isn't as step {key} has left it: somebody has changed it since", place.shown());
    Problem::new(Code::Conflict, message)
        .help(format!(
            "it was left as it is, and what the step had replaced is kept beside it (`.*.windlass-*`): put {} right by \
             hand if need be, and skip the entry",
            place.shown()
        ))
        .data(json!({ "path": place.shown().to_string(), "step": key }))
        .no_effect()
}

/// What stands there, links not followed.
fn look(parent: &Parent, place: &Place) -> Result<Option<FileStat>, Problem> {
    match fstatat(&parent.fd, parent.name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::ENOENT) => Ok(None),
        Err(error) => Err(support::system(place.shown(), &error.into()).no_effect()),
    }
}

fn is_file(stat: &FileStat) -> bool {
    kind(SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())) == "file"
}

fn is_folder(stat: &FileStat) -> bool {
    kind(SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())) == "folder"
}

fn kind(format: SFlag) -> &'static str {
    match format {
        SFlag::S_IFREG => "file",
        SFlag::S_IFDIR => "folder",
        SFlag::S_IFLNK => "link",
        _ => "other",
    }
}

/// Writes a file that wasn't there, wholly and down to the disk.
fn write_new(
    parent: &Parent,
    name: &str,
    bytes: &[u8],
    mode: u32,
    owner: Option<(Uid, Option<Gid>)>,
) -> std::io::Result<()> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(&parent.fd, name, flags, Mode::from_bits_truncate(0o600))?);
    file.write_all(bytes)?;
    if let Some((user, group)) = owner {
        fchown(file.as_fd(), Some(user), group)?;
    }
    // After the owner: a change of owner takes set-user-id bits away.
    fchmod(file.as_fd(), Mode::from_bits_truncate(mode))?;
    file.sync_all()?;
    Ok(())
}

fn owner(text: &str) -> Result<(Uid, Option<Gid>), Problem> {
    let unknown = |what: &str, name: &str| support::invalid(format!("`owner`: there is no {what} `{name}`"));
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let user = User::from_name(user).ok().flatten().ok_or_else(|| unknown("user", user))?;
    let group = match group {
        Some(name) => Some(Group::from_name(name).ok().flatten().ok_or_else(|| unknown("group", name))?.gid),
        None => None,
    };
    Ok((user.uid, group))
}
