//! How things look on a terminal: errors with their source, tables, times, commands.

mod called;
mod problem;
mod table;
mod time;

pub use called::{as_called, remember};
pub use problem::{problem, verbose};
pub use table::table;
pub use time::{ago, clock};
