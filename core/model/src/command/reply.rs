//! What the store answers.

use super::{Claimed, Lease};
use crate::{Outcome, RunId, voucher::VoucherReply};

/// What a command answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Done.
    Done,
    /// How many rows.
    Count(u64),
    /// Some of what is to go has gone, and was counted before; the same command again goes on with it.
    Partly,
    /// The run, whether it was there already (idempotency key), and the claim if one was asked for.
    Launched {
        /// The run.
        run: RunId,
        /// It was there already.
        existing: bool,
        /// The claim.
        claimed: Option<Box<Claimed>>,
    },
    /// The runs taken.
    Claimed(Vec<Claimed>),
    /// What the script sees.
    Outcome(Outcome),
    /// The wait isn't over.
    Waiting,
    /// Versions of the changed documents, in the order of the changes.
    Versions(Vec<i64>),
    /// What became of vouchers.
    Voucher(Box<VoucherReply>),
    /// What a node's beat came to.
    Beat {
        /// Whether the node should claim nothing more.
        draining: bool,
        /// The claims that were extended. Others are over: somebody else has the runs.
        held: Vec<Lease>,
    },
}
