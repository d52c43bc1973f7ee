//! The inside of a node's network namespace, entered by plain threads that end there.

use std::{
    fs::File,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use nix::sched::{CloneFlags, setns};
use windlass_model::{Code, Problem};

const FOLDER: &str = "/run/netns";

/// A network namespace that has a name.
#[derive(Debug)]
pub struct Inside {
    path: PathBuf,
    file: File,
    inode: u64,
}

impl Inside {
    /// By its name, which nobody from outside has chosen.
    pub fn open(namespace: &str) -> Result<Self, Problem> {
        let path = Path::new(FOLDER).join(namespace);
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.ino(), file)));
        let (inode, file) = opened
            .map_err(|error| Problem::new(Code::NotFound, format!("the namespace {namespace} is gone: {error}")))?;
        Ok(Self { path, file, inode })
    }

    /// Enters it with this thread, which may do nothing else afterwards.
    pub fn enter(&self) -> Result<(), Problem> {
        setns(&self.file, CloneFlags::CLONE_NEWNET).map_err(|errno| {
            Problem::new(Code::System, format!("{} can't be entered: {errno}", self.path.display()))
                .help("labs need a server that runs as root, or with CAP_SYS_ADMIN and CAP_NET_ADMIN")
        })
    }

    /// Whether its name still stands for it.
    pub fn is_there(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|now| now.ino() == self.inode)
    }
}
