//! The `windlass` binary as people and scripts use it: real processes, real data folders, real exit codes.

mod config;
mod exit_codes;
mod folder;
mod git;
mod postgres;
mod processes;
mod remote;
mod schedules;
mod secrets;
mod streams;
mod support;
mod versions;
