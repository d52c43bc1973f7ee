//! Vouchers: codes that nobody guesses, what is kept of them, signatures that other Sovereigns take, and settling with them.

mod batches;
mod claims;
mod code;
mod keys;
mod leave;
mod office;
mod peers;
mod progress;
mod redeem;
mod settle;
mod signed;
mod throttle;
mod views;

pub use keys::Sealing;
pub use leave::{Leave, revoke_all};
pub use office::{Issue, Office};
pub use settle::Settled;
pub use throttle::{Bounds as RedeemBounds, Throttle as RedeemThrottle};

use crate::Route;

pub(crate) fn routes() -> Vec<Route> {
    [batches::routes(), redeem::routes(), progress::routes(), peers::routes(), claims::routes()]
        .into_iter()
        .flatten()
        .collect()
}
