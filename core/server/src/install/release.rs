//! Versions of the program: each in a folder of its own, and a link to the one in use. Another one is in use by one change of that link.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::Value;
use windlass_model::{Code, Problem};

use super::{
    hand::{self, Hand, Mark},
    layout::{Layout, RELEASES},
};

/// Folders of versions that stay, beside the one in use and the one before.
const KEPT: usize = 1;

/// A version that is there, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its folder: the program's version, and the beginning of its digest.
    pub name: String,
}

impl Release {
    /// The version of a program in a file, which has to be a `windlass`.
    pub fn of(file: &Path) -> Result<Self, Problem> {
        let shown = file.display().to_string();
        let no_windlass = |why: String| {
            Problem::new(Code::InvalidInput, format!("{shown} isn't a `windlass` that runs here: {why}"))
                .help("nothing was changed")
        };
        let metadata = fs::metadata(file).map_err(|error| no_windlass(error.to_string()))?;
        if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
            return Err(no_windlass("it isn't a file that may be executed".into()));
        }
        let output =
            hand::call(&[&shown, "version", "--json"], None).map_err(|problem| no_windlass(problem.message))?;
        if !output.status.success() {
            return Err(no_windlass(hand::failed(&[&shown, "version"], &output).message));
        }
        let told: Value = serde_json::from_slice(&output.stdout).map_err(|error| no_windlass(error.to_string()))?;
        let version = told["version"].as_str().filter(|version| is_version(version));
        let version = version.ok_or_else(|| no_windlass("it doesn't tell its version".into()))?;
        let mut hasher = blake3::Hasher::new();
        let read = fs::File::open(file).and_then(|file| hasher.update_reader(file).map(drop));
        read.map_err(|error| no_windlass(error.to_string()))?;
        let digest = hasher.finalize().to_hex();
        Ok(Self { name: format!("{version}-{}", digest.get(..8).unwrap_or_default()) })
    }

    /// The one in use there.
    pub fn current(layout: &Layout) -> Option<Self> {
        Self::linked(layout, "current")
    }

    /// The one that was in use before it.
    pub fn previous(layout: &Layout) -> Option<Self> {
        Self::linked(layout, "previous")
    }

    fn linked(layout: &Layout, link: &str) -> Option<Self> {
        let target = fs::read_link(layout.at(RELEASES).join(link)).ok()?;
        let name = target.file_name()?.to_str()?.to_owned();
        let found = Self { name };
        found.file(layout).is_file().then_some(found)
    }

    /// Its program, as the machine sees it.
    pub fn program(&self) -> String {
        format!("{RELEASES}/{}/windlass", self.name)
    }

    /// Its program, as it is found from here.
    pub fn file(&self, layout: &Layout) -> PathBuf {
        layout.at(&self.program())
    }

    /// Copies the program to its folder; it isn't in use by that.
    pub fn put(&self, hand: &mut Hand, source: &Path) -> Result<(), Problem> {
        let target = self.file(hand.layout);
        // The folder's name tells what is in it.
        if target.is_file() {
            hand.note(Mark::Same, self.program(), "");
            return Ok(());
        }
        if !hand.is_dry() {
            let folder = target.parent().unwrap_or(Path::new("/"));
            let part = folder.join("windlass.part");
            let copied = fs::create_dir_all(folder)
                .and_then(|()| fs::copy(source, &part))
                .and_then(|_| fs::set_permissions(&part, fs::Permissions::from_mode(0o755)))
                .and_then(|()| fs::File::open(&part)?.sync_all())
                .and_then(|()| fs::rename(&part, &target));
            copied.map_err(|error| hand::unwritable(&target, &error))?;
        }
        hand.note(Mark::Changed, self.program(), "0755 root:root");
        Ok(())
    }

    /// Puts it in use; the one before is remembered.
    pub fn activate(&self, hand: &mut Hand) -> Result<(), Problem> {
        if let Some(before) = Self::current(hand.layout).filter(|before| before != self) {
            hand.link(&format!("{RELEASES}/previous"), &before.name)?;
        }
        hand.link(&format!("{RELEASES}/current"), &self.name)
    }

    /// Removes folders of versions that are neither in use nor likely to be again.
    pub fn prune(layout: &Layout) {
        let used = [Self::current(layout), Self::previous(layout)];
        let mut others: Vec<_> = fs::read_dir(layout.at(RELEASES))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter(|entry| !used.iter().flatten().any(|used| entry.file_name() == used.name.as_str()))
            .filter_map(|entry| Some((entry.metadata().and_then(|found| found.modified()).ok()?, entry.path())))
            .collect();
        others.sort();
        for (_, folder) in others.iter().rev().skip(KEPT) {
            // What is left is a folder too many, and no more.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Whether a text can stand in a folder's name.
fn is_version(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    !text.is_empty()
        && text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(known)
}
