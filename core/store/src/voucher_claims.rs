//! Claims between Sovereigns: what was redeemed at one for vouchers of another, and what the other made of it.

use diesel::prelude::*;
use windlass_model::{
    Code, Problem,
    ledger::{Account, AccountKind, CLEARING, GRANTED, LOSS, PAYABLE, RECEIVABLE, TransactionKind},
    voucher::{Booked, Claim, ClaimRecord, ClaimState, Direction, NewRedemption, Verdict, VoucherRecord},
};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    dialect,
    error::Applied,
    ledger::{self, Posting},
    redemptions,
    schema::voucher_claims::{self as claims, table},
    tables::VoucherClaim,
    vouchers,
};

fn record(row: VoucherClaim) -> ClaimRecord {
    ClaimRecord {
        peer: row.peer,
        id: row.id,
        voucher: row.voucher,
        organisation: row.organisation,
        nonce: row.nonce,
        amount: row.amount,
        currency: row.currency,
        state: ClaimState::parse(&row.state).unwrap_or(ClaimState::Pending),
        reason: row.reason,
        created_at_ms: row.created_at_ms,
        settled_at_ms: row.settled_at_ms,
    }
}

/// Notes that another Sovereign owes for a redemption.
pub(crate) fn ask(
    cx: &mut Cx,
    peer: &str,
    voucher: &VoucherRecord,
    redemption: &str,
    transaction: &str,
) -> Applied<()> {
    let nonce = vouchers::find(cx.conn, &voucher.id)?.map(|found| found.nonce).unwrap_or_default();
    let row = VoucherClaim {
        direction: Direction::Out.as_str().to_owned(),
        peer: peer.to_owned(),
        id: redemption.to_owned(),
        voucher: voucher.id.clone(),
        organisation: voucher.issuer.clone(),
        nonce,
        amount: voucher.credit,
        currency: voucher.currency.clone(),
        state: ClaimState::Pending.to_string(),
        reason: None,
        transaction_id: Some(transaction.to_owned()),
        created_at_ms: cx.now_ms,
        settled_at_ms: None,
    };
    diesel::insert_into(table).values(&row).execute(cx.conn)?;
    Ok(())
}

/// Takes a claim back with its redemption. One that was asked stands: the other side may have booked it.
pub(crate) fn withdraw(cx: &mut Cx, peer: &str, redemption: &str) -> Applied<()> {
    let found = find(cx.conn, Direction::Out, peer, redemption)?;
    match found.map(|claim| claim.state) {
        None | Some(ClaimState::Withdrawn) => Ok(()),
        Some(ClaimState::Pending) => {
            let state = ClaimState::Withdrawn.as_str();
            diesel::update(table.find((Direction::Out.as_str(), peer, redemption)))
                .set((claims::state.eq(state), claims::settled_at_ms.eq(cx.now_ms)))
                .execute(cx.conn)?;
            Ok(())
        }
        Some(ClaimState::Asked) => Err(Problem::new(
            Code::Conflict,
            format!("{peer} was asked for this redemption, and its answer isn't booked here: it can't be taken back yet"),
        )
        .help(
            "settle with it (`franchise/settle`) until it has answered; then agree with them what is paid, and skip this \
             undo with `windlass runs unstick`",
        )
        .into()),
        Some(ClaimState::Accepted | ClaimState::Disputed) => Err(Problem::new(
            Code::Conflict,
            format!("{peer} has answered the claim for this redemption: it can't be taken back here alone"),
        )
        .help("agree with them what is paid, and skip this undo with `windlass runs unstick`")
        .into()),
    }
}

/// Judges another Sovereign's claims, each once.
pub(crate) fn judge(cx: &mut Cx, peer: &str, asked: &[Claim]) -> Applied<Vec<Verdict>> {
    dialect::exclude_others(cx.conn, "ledger")?;
    asked.iter().map(|claim| judge_one(cx, peer, claim)).collect()
}

fn judge_one(cx: &mut Cx, peer: &str, claim: &Claim) -> Applied<Verdict> {
    let known = find(cx.conn, Direction::In, peer, &claim.id)?;
    if let Some(known) = known {
        let same = known.voucher == claim.voucher
            && (known.nonce.as_str(), known.amount, known.currency.as_str())
                == (claim.nonce.as_str(), claim.amount, claim.currency.as_str());
        if !same {
            let reason = Some("another claim of the same id was judged before".to_owned());
            return Ok(Verdict { id: claim.id.clone(), state: ClaimState::Disputed, reason });
        }
        return Ok(Verdict { id: known.id, state: known.state, reason: known.reason });
    }
    let found = vouchers::find(cx.conn, &claim.voucher)?;
    let organisation = found.as_ref().map(|found| found.voucher.issuer.clone()).unwrap_or_default();
    let judged = match found {
        None => Err("no such voucher was issued here".to_owned()),
        Some(found) if found.voucher.origin.is_some() || found.nonce != claim.nonce => {
            Err("it isn't the voucher that was signed".to_owned())
        }
        Some(found) if (found.voucher.credit, &found.voucher.currency) != (claim.amount, &claim.currency) => {
            Err("the amount isn't the voucher's".to_owned())
        }
        // Its time counts where it was redeemed: what was in time there may be asked for later.
        Some(found) if found.voucher.deleted_at_ms.is_some() || !found.voucher.active => {
            Err("the voucher was taken back".to_owned())
        }
        Some(_) => pay(cx, peer, claim)?,
    };
    let (state, reason, transaction_id) = match judged {
        Ok(transaction) => (ClaimState::Accepted, None, Some(transaction)),
        Err(reason) => (ClaimState::Disputed, Some(reason), None),
    };
    let row = VoucherClaim {
        direction: Direction::In.as_str().to_owned(),
        peer: peer.to_owned(),
        id: claim.id.clone(),
        voucher: claim.voucher.clone(),
        organisation,
        nonce: claim.nonce.clone(),
        amount: claim.amount,
        currency: claim.currency.clone(),
        state: state.to_string(),
        reason: reason.clone(),
        transaction_id,
        created_at_ms: cx.now_ms,
        settled_at_ms: Some(cx.now_ms),
    };
    diesel::insert_into(table).values(&row).execute(cx.conn)?;
    Ok(Verdict { id: claim.id.clone(), state, reason })
}

/// Counts the redemption, and owes for it; or why not.
fn pay(cx: &mut Cx, peer: &str, claim: &Claim) -> Applied<Result<String, String>> {
    let open = vouchers::locked(cx, &claim.voucher)?
        .filter(|one| one.max_redemptions == 0 || one.times_redeemed < one.max_redemptions);
    let Some(voucher) = open else {
        return Ok(Err("the voucher was redeemed as often as it may be, here or elsewhere".to_owned()));
    };
    let who = format!("{peer}/{}", claim.id);
    let new = NewRedemption {
        id: format!("claim.{peer}.{}", claim.id),
        voucher: voucher.id.clone(),
        key: format!("claim/{who}"),
        customer: who.clone(),
        holder: who,
        product: None,
        limit: None,
    };
    let debit = Account::new(&voucher.issuer, GRANTED, AccountKind::Expense);
    let credit = Account::with(&voucher.issuer, PAYABLE, peer, AccountKind::Liability);
    let description = format!("voucher {}, redeemed at {peer}", voucher.id);
    let entries = [(debit, voucher.credit), (credit, -voucher.credit)];
    let transaction = redemptions::book(cx, &voucher, &new, &description, entries)?;
    redemptions::keep(cx, &voucher, &new, transaction.clone())?;
    Ok(Ok(transaction))
}

/// Marks claims as asked before they are: whoever takes a redemption back afterwards is refused. Those that were asked and
/// not answered are among them.
pub(crate) fn asked(cx: &mut Cx, peer: &str, limit: u32) -> Applied<Vec<ClaimRecord>> {
    dialect::exclude_others(cx.conn, "ledger")?;
    let open = [ClaimState::Pending.as_str(), ClaimState::Asked.as_str()];
    let of_it = claims::direction.eq(Direction::Out.as_str()).and(claims::peer.eq(peer));
    let rows: Vec<VoucherClaim> = table
        .filter(of_it)
        .filter(claims::state.eq_any(open))
        .order(claims::id)
        .limit(i64::from(limit))
        .select(VoucherClaim::as_select())
        .load(cx.conn)?;
    let found: Vec<ClaimRecord> = rows.into_iter().map(record).collect();
    for claim in found.iter().filter(|claim| claim.state == ClaimState::Pending) {
        diesel::update(table.find((Direction::Out.as_str(), peer, &claim.id)))
            .set(claims::state.eq(ClaimState::Asked.as_str()))
            .execute(cx.conn)?;
    }
    Ok(found.into_iter().map(|claim| ClaimRecord { state: ClaimState::Asked, ..claim }).collect())
}

/// Books what another Sovereign has answered. What can't be booked is said: it has booked what isn't here.
pub(crate) fn answered(cx: &mut Cx, peer: &str, verdicts: &[Verdict]) -> Applied<Booked> {
    dialect::exclude_others(cx.conn, "ledger")?;
    let mut booked = Booked::default();
    for verdict in verdicts {
        let claim = match find(cx.conn, Direction::Out, peer, &verdict.id)? {
            Some(claim) if matches!(claim.state, ClaimState::Pending | ClaimState::Asked) => claim,
            Some(claim) if claim.state == verdict.state => continue,
            _ => {
                booked.left.push(verdict.clone());
                continue;
            }
        };
        let clearing = Account::with(&claim.organisation, CLEARING, peer, AccountKind::Asset);
        let (kind, debit, reason, what) = match verdict.state {
            ClaimState::Accepted => {
                let owed = Account::with(&claim.organisation, RECEIVABLE, peer, AccountKind::Asset);
                (TransactionKind::Settle, owed, None, "agreed to")
            }
            ClaimState::Disputed => {
                let loss = Account::new(&claim.organisation, LOSS, AccountKind::Expense);
                let reason = verdict.reason.clone().unwrap_or_else(|| "no reason was given".to_owned());
                (TransactionKind::Dispute, loss, Some(reason), "refused")
            }
            ClaimState::Pending | ClaimState::Asked | ClaimState::Withdrawn => continue,
        };
        let posting = Posting {
            kind,
            reference: &format!("{peer}/{}", claim.id),
            description: &format!("voucher {}: {what} by {peer}", claim.voucher),
            currency: &claim.currency,
            entries: &[(debit, claim.amount), (clearing, -claim.amount)],
        };
        let transaction = ledger::post(cx, &posting)?;
        diesel::update(table.find((Direction::Out.as_str(), peer, &claim.id)))
            .set((
                claims::state.eq(verdict.state.as_str()),
                claims::reason.eq(reason),
                claims::transaction_id.eq(transaction),
                claims::settled_at_ms.eq(cx.now_ms),
            ))
            .execute(cx.conn)?;
        booked.count += 1;
    }
    Ok(booked)
}

fn find(conn: &mut AnyConnection, direction: Direction, peer: &str, id: &str) -> QueryResult<Option<ClaimRecord>> {
    let query = table.find((direction.as_str(), peer, id)).select(VoucherClaim::as_select());
    Ok(query.first(conn).optional()?.map(record))
}

/// Claims of a direction, by Sovereign and id; with a state only those.
pub(crate) fn list(
    conn: &mut AnyConnection,
    direction: Direction,
    peer: Option<&str>,
    state: Option<ClaimState>,
    limit: u32,
) -> QueryResult<Vec<ClaimRecord>> {
    let mut query = table
        .filter(claims::direction.eq(direction.as_str()))
        .select(VoucherClaim::as_select())
        .order((claims::peer, claims::id))
        .into_boxed();
    if let Some(peer) = peer {
        query = query.filter(claims::peer.eq(peer));
    }
    if let Some(state) = state {
        query = query.filter(claims::state.eq(state.as_str()));
    }
    let rows: Vec<VoucherClaim> = query.limit(i64::from(limit)).load(conn)?;
    Ok(rows.into_iter().map(record).collect())
}
