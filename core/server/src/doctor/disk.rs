//! How long a commit has to wait for the disk: this is what a step with an intent costs.

use std::{
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use super::Finding;

const SYNCS: usize = 21;

/// The median of a few small synced writes in (or beside) the data folder.
pub fn sync_time(data: &Path) -> Finding {
    let name = "disk sync";
    let folder = data.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    match measure(folder) {
        Ok(median) => {
            let found = format!(
                "a synced write takes {:.2} ms (median of {SYNCS}) in {}",
                median.as_secs_f64() * 1e3,
                folder.display()
            );
            match median > Duration::from_millis(20) {
                true => Finding::broken(name, found, "put the data folder on a faster disk: every step waits for it"),
                false => Finding::fine(name, found),
            }
        }
        Err(error) => Finding::broken(
            name,
            format!("{} can't be written: {error}", folder.display()),
            "choose another data folder",
        ),
    }
}

fn measure(folder: &Path) -> std::io::Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    times.sort();
    Ok(times[SYNCS / 2])
}
