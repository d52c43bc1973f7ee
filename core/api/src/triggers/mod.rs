//! What launches by itself: schedules by the clock, webhooks by what other systems send, triggers by the ends of runs.

mod act;
pub mod cron;
mod deliveries;
mod due;
mod finished;
pub mod kept;
pub(crate) mod rules;
mod runner;
pub mod schedules;
mod signature;
pub(crate) mod template;
mod webhooks;

use crate::Route;

pub use act::is_reserved;
pub use runner::{Bell, Runner};
pub(crate) use webhooks::wrong;

pub(crate) fn routes() -> Vec<Route> {
    [schedules::routes(), webhooks::routes(), deliveries::routes(), finished::routes()].into_iter().flatten().collect()
}
