//! Configuration: `windlass.toml`, then the environment (`WINDLASS_…`), then flags; each overrides what stands before it.

mod defaults;
mod file;
mod keys;
mod layers;
mod mask;
mod settings;
mod show;
mod told;

pub use layers::{Flags, Loaded, load};
pub use settings::{Config, ForwardedHeader, LabSettings, LogFormat, RetentionSettings, SecretEntry};
pub use show::{document, show};
pub use told::Told;

#[cfg(test)]
mod tests;
