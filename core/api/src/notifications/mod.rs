//! Notifications: rules say which events are told to which targets; what is to be told is written down with the place in the
//! feed that was reached, and sent by whichever server comes first.

mod compose;
mod deliveries;
mod dispatcher;
pub mod kept;
mod matching;
mod queue;
pub mod quiet;
pub mod rules;
mod sender;
pub mod targets;
#[cfg(test)]
mod tests;

use crate::Route;

pub use deliveries::{DeliveryView, again, list as all_deliveries, view as delivery_view};
pub use sender::{Sending, Settings};

pub(crate) fn routes() -> Vec<Route> {
    [targets::routes(), rules::routes(), deliveries::routes()].into_iter().flatten().collect()
}
