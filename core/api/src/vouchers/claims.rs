//! What Sovereigns owe one another for single redemptions, and how each claim stands.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_model::{
    Code, Problem,
    voucher::{ClaimRecord, Direction},
};

use super::peers;
use crate::{Access, Answer, Permission, Request, Route};

/// Claims of one direction that one listing gives.
const CLAIMS: u32 = 500;

/// A claim.
#[derive(Serialize, JsonSchema)]
struct ClaimView {
    /// The redemption where it was redeemed.
    id: String,
    /// `out`: asked of that Sovereign; `in`: it has asked.
    direction: String,
    /// The voucher as it is known here.
    voucher: String,
    /// The organisation here that it is booked for.
    organisation: String,
    /// In the currency's smallest unit.
    amount: i64,
    currency: String,
    /// `pending`, `asked`, `accepted` or `disputed`.
    state: String,
    /// Why it is disputed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    created_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at_ms: Option<i64>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/api/v1/sovereigns/{name}/claims",
            "vouchers",
            "List claims between this Sovereign and another one",
        )
        .describe("Those that are asked of it, and those that it has asked; 500 of each at most.")
        .access(Access::Can(Permission::Administer))
        .answers::<Vec<ClaimView>>(200)
        .problems(&[Code::NotFound])
        .handle(list),
    ]
}

fn view(direction: Direction, claim: ClaimRecord) -> ClaimView {
    ClaimView {
        id: claim.id,
        direction: direction.as_str().to_owned(),
        voucher: claim.voucher,
        organisation: claim.organisation,
        amount: claim.amount,
        currency: claim.currency,
        state: claim.state.to_string(),
        reason: claim.reason,
        created_at_ms: claim.created_at_ms,
        settled_at_ms: claim.settled_at_ms,
    }
}

fn list(request: Request) -> Result<Answer, Problem> {
    request.require_in(Permission::Administer, "*")?;
    let engine = &request.api.engine;
    let peer = peers::find(engine, request.parameter("name"))?;
    let mut all = Vec::new();
    for direction in [Direction::Out, Direction::In] {
        let found = engine.voucher_claims(direction, Some(&peer.name), None, CLAIMS)?;
        all.extend(found.into_iter().map(|claim| view(direction, claim)));
    }
    Answer::json(&all)
}
