//! What is measured on: cores, kernel, file system, and the memory of this process.

use std::{fs, io, path::Path};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::statfs::{TMPFS_MAGIC, statfs},
    unistd::Pid,
};

const THIS_PROCESS: Pid = Pid::from_raw(0);

/// Keeps this process, and all threads it makes from now on, to so many of its cores; which, and which it could have had
/// besides.
pub fn pin(count: usize) -> (Vec<usize>, Vec<usize>) {
    let Ok(allowed) = sched_getaffinity(THIS_PROCESS) else { return Default::default() };
    // From the highest down: the lowest core serves most interrupts.
    let mut chosen: Vec<usize> =
        (0..CpuSet::count()).rev().filter(|&core| allowed.is_set(core).unwrap_or(false)).collect();
    let others = chosen.split_off(count.min(chosen.len()));
    if keep_to(&chosen) { (chosen, others) } else { Default::default() }
}

/// Keeps this thread, and those that it makes from now on, to these cores; without any it stays where it is.
pub fn keep_to(cores: &[usize]) -> bool {
    let mut set = CpuSet::new();
    let complete = cores.iter().all(|&core| set.set(core).is_ok());
    !cores.is_empty() && complete && sched_setaffinity(THIS_PROCESS, &set).is_ok()
}

/// Does something on a thread that may use these cores, too, as may all that it starts.
pub fn with_cores<T: Send>(more: &[usize], act: impl FnOnce() -> T + Send) -> T {
    let allowed = sched_getaffinity(THIS_PROCESS).unwrap_or_default();
    let all: Vec<usize> =
        (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false) || more.contains(&core)).collect();
    let act = || {
        keep_to(&all);
        act()
    };
    std::thread::scope(|scope| scope.spawn(act).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A folder of this measurement's own, removed at the end. Refuses memory in place of a disk.
pub fn folder(parent: &Path) -> io::Result<tempfile::TempDir> {
    if statfs(parent)?.filesystem_type() == TMPFS_MAGIC {
        return Err(io::Error::other("it is memory, not a disk; give another one with `--folder`"));
    }
    tempfile::Builder::new().prefix("windlass-bench-").tempdir_in(parent)
}

/// The header's lines.
pub fn describe(folder: &Path, pinned: &[usize]) -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let all = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let count = all.lines().filter(|line| line.starts_with("processor")).count();
    let model = all.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let used = match pinned {
        [] => format!("{cores} of {count}"),
        _ => format!("{} of {count} (pinned to {pinned:?}; the targets are for 2 quiet cores)", pinned.len()),
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    vec![
        ("cores", used),
        ("processor", model.map_or("unknown", |(_, name)| name).to_owned()),
        ("kernel", fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()),
        ("file system", file_system(folder)),
        ("load before", load.split(' ').take(3).collect::<Vec<_>>().join(" ")),
        ("build", if cfg!(debug_assertions) { "debug: the numbers mean nothing" } else { "release" }.to_owned()),
    ]
}

/// Type and device of the mount that a folder is on.
fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let found = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (device, point, kind) = (words.next()?, words.next()?, words.next()?);
            folder.starts_with(point).then(|| (point.len(), format!("{kind} on {device}")))
        })
        .max_by_key(|(length, _)| *length);
    found.map_or_else(|| "unknown".to_owned(), |(_, text)| text)
}

/// Work on this process's cores at one moment: all of it, and this process's own. Seconds.
pub struct Work {
    at: std::time::Instant,
    all_s: f64,
    own_s: f64,
}

/// Looks at the work that has been done so far.
pub fn work() -> Work {
    let ticks_per_second = 100.0;
    let allowed = sched_getaffinity(THIS_PROCESS).unwrap_or_default();
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let busy_ticks = text.lines().filter_map(|line| {
        let (core, times) = line.strip_prefix("cpu")?.split_once(' ')?;
        let core: usize = core.parse().ok()?;
        let times: Vec<f64> = times.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        // user, nice, system, (idle, waiting for a disk,) interrupts, soft interrupts, stolen by other machines.
        let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|&index| times.get(index)).sum::<f64>();
        allowed.is_set(core).unwrap_or(false).then_some(busy)
    });
    Work { at: std::time::Instant::now(), all_s: busy_ticks.sum::<f64>() / ticks_per_second, own_s: own_s() }
}

/// Processor time of this process so far, in seconds.
pub fn own_s() -> f64 {
    let own = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    own.map_or(0.0, |own| seconds(own.user_time()) + seconds(own.system_time()))
}

/// Processor time of all programs on the cores that this thread may use, in seconds.
pub fn all_s() -> f64 {
    work().all_s
}

/// Processor time of a process so far, in seconds.
pub fn processor_s(process: u32) -> f64 {
    stat(process).map_or(0.0, |(_, seconds)| seconds)
}

/// The same with that of its children that live.
pub fn processor_s_with_children(process: u32) -> f64 {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let children = pids.filter_map(stat).filter(|(parent, _)| *parent == process);
    processor_s(process) + children.map(|(_, seconds)| seconds).sum::<f64>()
}

/// The parent of a process, and its processor time in seconds.
fn stat(process: u32) -> Option<(u32, f64)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before may hold anything, but for what comes after its end.
    let words: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| words.get(index)?.parse::<f64>().ok();
    Some((words.get(1)?.parse().ok()?, (ticks(11)? + ticks(12)?) / 100.0))
}

impl Work {
    /// The part of these cores that others have taken since then, in percent.
    pub fn taken_by_others_percent(&self) -> f64 {
        let now = work();
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let time_s = (now.at - self.at).as_secs_f64() * cores;
        ((now.all_s - self.all_s) - (now.own_s - self.own_s)).max(0.0) / time_s * 100.0
    }
}

/// Resident memory of this process after the allocator has given back what it doesn't use: all of it, and the part
/// that isn't mapped files. Bytes.
pub fn resident_bytes() -> (u64, u64) {
    // SAFETY: malloc_trim takes no pointer and may be called at any time.
    unsafe { libc::malloc_trim(0) };
    (memory_of("self", "VmRSS"), memory_of("self", "RssAnon"))
}

/// Bytes of memory of a process, as the kernel counts them: `VmRSS`, `RssAnon`.
pub fn memory_of(process: &str, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Processor time of another process so far, in seconds.
pub fn time_of(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
