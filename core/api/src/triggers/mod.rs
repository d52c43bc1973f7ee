//! What launches by itself: schedules by the clock, webhooks by what other systems send, triggers by the ends of runs.

mod act;
pub mod cron;
mod deliveries;
mod due;
mod finished;
pub mod kept;
mod rules;
mod runner;
pub mod schedules;
mod signature;
mod template;
mod webhooks;

use crate::Route;

pub use act::is_reserved;
pub use runner::{Bell, Runner};

pub(crate) fn routes() -> Vec<Route> {
    [schedules::routes(), webhooks::routes(), deliveries::routes(), finished::routes()].into_iter().flatten().collect()
}
