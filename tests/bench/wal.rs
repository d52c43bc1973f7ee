//! Counts commits from outside: in SQLite's write-ahead log, the last frame of each commit names the database's size.

use std::{fs, path::Path};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// A look at the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Changes when the log begins anew.
    salt: u64,
    /// Commits in it.
    pub commits: u64,
    /// Pages in it.
    pub frames: u64,
}

impl Look {
    /// Commits and pages since an earlier look; `None` if the log began anew in between.
    pub fn since(self, earlier: Self) -> Option<(u64, u64)> {
        (self.salt == earlier.salt).then(|| (self.commits - earlier.commits, self.frames - earlier.frames))
    }
}

/// Reads the log of this database.
pub fn look(database: &Path) -> Option<Look> {
    let log = fs::read(format!("{}-wal", database.display())).ok()?;
    let word = |at: usize| Some(u32::from_be_bytes(log.get(at..at + 4)?.try_into().ok()?));
    let page = word(8)? as usize;
    let salt = (word(16)?, word(20)?);
    let (mut commits, mut frames, mut at) = (0, 0, HEADER);
    // Frames with another salt are left over from before the log began anew.
    while let (Some(size), Some(first), Some(second)) = (word(at + 4), word(at + 8), word(at + 12)) {
        if (first, second) != salt || at + FRAME_HEADER + page > log.len() {
            break;
        }
        frames += 1;
        commits += u64::from(size != 0);
        at += FRAME_HEADER + page;
    }
    Some(Look { salt: u64::from(salt.0) << 32 | u64::from(salt.1), commits, frames })
}
