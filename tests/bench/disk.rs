//! What the disk itself takes for a durable write: the base that commits are measured against.

use std::{fs::OpenOptions, io::Write, path::Path, time::Instant};

use crate::report::median;

const BLOCK: [u8; 4096] = [0x5a; 4096];

/// Median of a 4 KiB append followed by fdatasync, in milliseconds.
pub fn sync_median_ms(folder: &Path, times: usize) -> f64 {
    median(&mut syncs_ms(folder, times))
}

/// So many durable writes, one after the other; what each took, in milliseconds. Empty if the folder can't be written.
pub fn syncs_ms(folder: &Path, times: usize) -> Vec<f64> {
    let path = folder.join("fdatasync");
    let Ok(mut file) = OpenOptions::new().create(true).append(true).open(&path) else { return Vec::new() };
    let sync = |_| {
        let started = Instant::now();
        file.write_all(&BLOCK).and_then(|()| file.sync_data()).ok()?;
        Some(started.elapsed().as_secs_f64() * 1e3)
    };
    let took_ms = (0..times).map_while(sync).collect();
    let _ = std::fs::remove_file(&path);
    took_ms
}
