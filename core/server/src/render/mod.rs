//! How things look on a terminal: errors with their source, tables, times.

mod problem;
mod table;
mod time;

pub use problem::{problem, verbose};
pub use table::table;
pub use time::{ago, clock};
