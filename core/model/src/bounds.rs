//! The limits that keep one run from harming its neighbours. Each is configurable and is named in the error it causes.

use serde::{Deserialize, Serialize};

/// Limits on runs and scripts. Sizes are bytes, times milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// A run's input.
    pub input_bytes: usize,
    /// One step's arguments, or its result. Larger things are artifacts, passed by reference.
    pub step_bytes: usize,
    /// Steps in one journal; `continue_as_new` starts a fresh one.
    pub steps_per_run: usize,
    /// Arguments and results of all steps in one journal: each time that a run is taken up, all of it is read. A run is undone
    /// whatever its journal has.
    pub journal_bytes: usize,
    /// Steps of one undo: of what a closure given to `on_rollback` does.
    pub undo_steps: usize,
    /// How long one undo may take.
    pub undo_ms: i64,
    /// Everything that a run prints and logs.
    pub output_bytes: usize,
    /// Script operations between two host calls that are performed.
    pub script_operations: u64,
    /// Characters of one string in a script.
    pub script_string_bytes: usize,
    /// Elements of one array in a script.
    pub script_array_items: usize,
    /// Entries of one map in a script.
    pub script_map_items: usize,
    /// Nested function calls in a script.
    pub script_call_levels: usize,
    /// What the script of one run may hold on the heap, all of its branches together. All runs of a process together may
    /// hold 16 times that.
    pub script_memory_bytes: usize,
    /// What a script may compute without a host call.
    pub script_cpu_ms: u64,
    /// One source file.
    pub source_bytes: usize,
    /// Branches of one `parallel` or `race`.
    pub branches: usize,
    /// Keys that an organisation's scripts keep in `kv`.
    pub kv_keys: u64,
    /// Times that a run may take its process down before it is parked.
    pub recoveries: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            input_bytes: 1 << 20,
            step_bytes: 4 << 20,
            steps_per_run: 100_000,
            journal_bytes: 256 << 20,
            undo_steps: 10_000,
            undo_ms: 3_600_000,
            output_bytes: 16 << 20,
            script_operations: 50_000_000,
            script_string_bytes: 1 << 20,
            script_array_items: 10_000,
            script_map_items: 10_000,
            script_call_levels: 32,
            script_memory_bytes: 64 << 20,
            script_cpu_ms: 5_000,
            source_bytes: 128 << 10,
            branches: 256,
            kv_keys: 10_000,
            recoveries: 10,
        }
    }
}
