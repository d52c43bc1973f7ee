//! Room in SQLite's log: it is written with zeros before it is needed. Where the disk has to keep only what stands in blocks
//! that a file has already, a sync is one write; where the file grows, its size and its blocks have to be kept as well.
//! A log that was folded into the database once is written again from its beginning, and needs this no more.

use std::{
    fs::{File, OpenOptions, metadata},
    io::{self, Write as _},
    path::PathBuf,
};

use crate::sync::log_path;

/// Written at once. What reads the log stops at the first thing that isn't of it.
const PIECE: u64 = 16 << 20;
/// The log doesn't grow beyond what SQLite folds at, give or take a transaction.
const MOST: u64 = 64 << 20;
/// Transactions between two looks. A process that writes fewer needs no room.
const EVERY: u32 = 64;

/// The room of one database's log.
pub(crate) struct Room {
    log: PathBuf,
    looked: u32,
    /// The log's length after room was last made.
    made: u64,
}

impl Room {
    pub(crate) fn new(database: &std::path::Path) -> Self {
        Self { log: log_path(database), looked: 0, made: 0 }
    }

    /// Looks now and then whether the log has used its room, and makes more. To be called by whoever holds the database's
    /// write lock, and by no other thread than the one that writes to it: only then nobody appends to the log meanwhile.
    pub(crate) fn look(&mut self) {
        self.looked += 1;
        if self.looked < EVERY {
            return;
        }
        self.looked = 0;
        if let Err(error) = self.make() {
            // A full disk, most of all. It does without.
            tracing::debug!(%error, log = %self.log.display(), "no room was made in the database's log");
        }
    }

    fn make(&mut self) -> io::Result<()> {
        let length = metadata(&self.log)?.len();
        if length >= MOST || (length > 0 && length == self.made) {
            return Ok(());
        }
        let mut log = OpenOptions::new().append(true).open(&self.log)?;
        if let Err(error) = fill(&mut log, PIECE.min(MOST - length)) {
            log.set_len(length)?;
            return Err(error);
        }
        self.made = length + PIECE.min(MOST - length);
        Ok(())
    }
}

fn fill(log: &mut File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; 1 << 20];
    for _ in 0..bytes / zeros.len() as u64 {
        log.write_all(&zeros)?;
    }
    log.write_all(&zeros[..(bytes % zeros.len() as u64) as usize])?;
    log.sync_data()
}

#[cfg(test)]
mod tests {
    use diesel::{RunQueryDsl as _, connection::SimpleConnection as _, dsl::sql, sql_types::BigInt};

    use super::*;
    use crate::{
        connection::{AnyConnection, Purpose, connect},
        dialect,
        options::Durability,
    };

    fn rows(conn: &mut AnyConnection) -> i64 {
        diesel::select(sql::<BigInt>("(SELECT count(*) FROM t)")).get_result(conn).unwrap()
    }

    #[test]
    fn what_is_written_into_the_room_is_found_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let open = |name: &str| {
            connect(&format!("sqlite:{}", place(name).display()), Purpose::Write(Durability::Full)).unwrap()
        };
        let mut conn = open("a.db");
        conn.batch_execute("CREATE TABLE t (n BIGINT NOT NULL)").unwrap();
        let mut room = Room::new(&place("a.db"));
        let count = i64::from(3 * EVERY);
        for n in 0..count {
            dialect::begin_write(&mut conn).unwrap();
            room.look();
            conn.batch_execute(&format!("INSERT INTO t VALUES ({n})")).unwrap();
            dialect::commit(&mut conn).unwrap();
        }
        let length = metadata(place("a.db-wal")).unwrap().len();
        assert!((PIECE..2 * PIECE).contains(&length), "{length}");
        // As a crash leaves them: nobody has closed them.
        std::fs::copy(place("a.db"), place("b.db")).unwrap();
        std::fs::copy(place("a.db-wal"), place("b.db-wal")).unwrap();
        assert_eq!(rows(&mut open("b.db")), count);
        // Folded, the log is as long as SQLite leaves it, and is given room again.
        dialect::checkpoint(&mut conn).unwrap();
        assert_eq!(metadata(place("a.db-wal")).unwrap().len(), 0);
        (0..EVERY).for_each(|_| room.look());
        assert_eq!(metadata(place("a.db-wal")).unwrap().len(), PIECE);
        conn.batch_execute("INSERT INTO t VALUES (0)").unwrap();
        assert_eq!(rows(&mut conn), count + 1);
    }
}
