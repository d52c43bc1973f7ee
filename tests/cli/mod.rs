//! The `windlass` binary as people and scripts use it: real processes, real data folders, real exit codes.

mod audited;
mod backup;
mod both;
mod config;
mod exit_codes;
mod folder;
mod git;
mod json_logs;
mod postgres;
mod processes;
mod remote;
mod remote_people;
mod remote_steering;
mod schedules;
mod secrets;
mod servers;
mod streams;
mod support;
mod versions;
