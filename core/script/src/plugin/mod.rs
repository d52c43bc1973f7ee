//! Plugins: scripts of others, with a manifest that says what they may reach, evaluated in a sandbox that has nothing else.

pub mod manifest;

pub use manifest::Manifest;
