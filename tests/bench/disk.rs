//! What the disk itself takes for a durable write: the base that commits are measured against.

use std::{fs::OpenOptions, io::Write, path::Path, time::Instant};

use crate::report::median;

const BLOCK: [u8; 4096] = [0x5a; 4096];

/// Median of a 4 KiB append followed by fdatasync, in milliseconds.
pub fn sync_median_ms(folder: &Path, times: usize) -> f64 {
    let path = folder.join("fdatasync");
    let mut file = match OpenOptions::new().create(true).append(true).open(&path) {
        Ok(file) => file,
        Err(_) => return f64::NAN,
    };
    let mut took_ms = Vec::with_capacity(times);
    for _ in 0..times {
        let started = Instant::now();
        if file.write_all(&BLOCK).and_then(|()| file.sync_data()).is_err() {
            return f64::NAN;
        }
        took_ms.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let _ = std::fs::remove_file(&path);
    median(&mut took_ms)
}
