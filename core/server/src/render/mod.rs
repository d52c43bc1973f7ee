//! How things look on a terminal: errors with their source, JSON, tables, times, money, commands.

mod called;
mod json;
mod money;
mod problem;
mod table;
mod time;

pub use called::{as_called, quote, remember};
pub use json::json;
pub use money::money;
pub use problem::{problem, verbose};
pub use table::table;
pub use time::{ago, clock};
