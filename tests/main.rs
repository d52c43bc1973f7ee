//! One binary of integration tests; every test owns its folder, its database and its ports.

mod api;
mod cli;
mod consoles;
mod crash;
mod dns;
mod engine;
#[path = "faults/short.rs"]
mod faults;
mod franchise;
mod hosts;
mod install;
mod lab;
mod nodes;
mod plugins;
mod provision;
mod script;
mod sim;
mod store;
mod workflows;

/// Scripts are bounded in memory only where allocations are counted.
#[global_allocator]
static ALLOCATOR: windlass_script::CountingAllocator = windlass_script::CountingAllocator;
