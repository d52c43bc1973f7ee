//! What Sovereigns owe each other: claims, limits, payments.

use windlass_model::{
    Code,
    command::Command,
    voucher::{Booked, Claim, ClaimState, Direction, Payment, SealedVoucher, Verdict, VoucherCommand, VoucherReply},
};
use windlass_store::StoreError;

use super::{super::world::World, asked, give, issue, redeem, refused, sums, times, voucher};

super::super::on_both!(
    what_was_asked_is_not_withdrawn,
    what_a_peer_may_owe_is_looked_at_where_it_is_booked,
    payments_free_the_limit_and_are_booked_once,
    what_a_peer_paid_for_is_written_off_as_income,
    claims_are_judged_once_and_answers_are_booked_once,
);

fn foreign(id: &str) -> SealedVoucher {
    let mut foreign = voucher(id, "", 2);
    (foreign.voucher.batch, foreign.voucher.origin) = (None, Some("omantel".into()));
    foreign
}

fn answered(w: &World, verdicts: Vec<Verdict>) -> Booked {
    match give(w, VoucherCommand::Answered { peer: "omantel".into(), verdicts }) {
        VoucherReply::Booked(booked) => booked,
        other => panic!("{other:?}"),
    }
}

/// What is asked of omantel, by id.
fn ask(w: &World) -> Vec<String> {
    match give(w, VoucherCommand::Ask { peer: "omantel".into(), limit: 10 }) {
        VoucherReply::Claims(claims) => {
            assert!(claims.iter().all(|claim| claim.state == ClaimState::Asked), "{claims:?}");
            claims.into_iter().map(|claim| claim.id).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn owed(w: &World) -> i64 {
    w.store.owed_by("acme", "omantel", "EUR").unwrap()
}

fn accepted(id: &str) -> Verdict {
    Verdict { id: id.into(), state: ClaimState::Accepted, reason: None }
}

fn what_was_asked_is_not_withdrawn(w: &World) {
    give(w, VoucherCommand::Accept(Box::new(foreign("f1"))));
    redeem(w, "f1", "bob");
    redeem(w, "f1", "carol");
    let reverse = |who: &str| VoucherCommand::Reverse { key: format!("key/f1/{who}") };
    // Before it is asked, a claim goes with its redemption …
    for _ in 0..2 {
        give(w, reverse("carol"));
    }
    let state = |state| w.store.voucher_claims(Direction::Out, None, Some(state), 10).unwrap().len();
    assert_eq!((state(ClaimState::Withdrawn), state(ClaimState::Pending), owed(w)), (1, 1, 500));
    // … and an answer to it is told, as it can't be booked.
    let late = accepted("r-f1-carol");
    assert_eq!(answered(w, vec![late.clone()]), Booked { count: 0, left: vec![late] });
    assert_eq!(owed(w), 500);
    // What was asked stands, also if the answer was lost; it is asked again.
    for _ in 0..2 {
        assert_eq!(ask(w), ["r-f1-bob"]);
        assert_eq!(refused(w, reverse("bob")), Code::Conflict);
    }
    assert_eq!(answered(w, vec![accepted("r-f1-bob")]), Booked { count: 1, left: Vec::new() });
    assert!(ask(w).is_empty());
    assert_eq!(refused(w, reverse("bob")), Code::Conflict, "it is booked there");
    assert!(sums(w).contains(&("acme:receivable/omantel:EUR".into(), 500)));
}

fn limited(customer: &str, limit: Option<i64>) -> VoucherCommand {
    let mut new = asked("f1", customer, None);
    if let VoucherCommand::Redeem(new) = &mut new {
        new.limit = limit;
    }
    new
}

fn what_a_peer_may_owe_is_looked_at_where_it_is_booked(w: &World) {
    let mut many = foreign("f1");
    many.voucher.max_redemptions = 100;
    give(w, VoucherCommand::Accept(Box::new(many)));
    assert_eq!(refused(w, limited("bob", None)), Code::Gone, "one that isn't trusted");
    assert_eq!(refused(w, limited("bob", Some(499))), Code::Gone);
    let other = w.second();
    let gate = std::sync::Barrier::new(16);
    let won = std::thread::scope(|scope| {
        let each = |number: usize| {
            let (store, gate) = (if number.is_multiple_of(2) { &w.store } else { &other }, &gate);
            move || {
                gate.wait();
                match store.commit(Command::Voucher(Box::new(limited(&format!("c{number}"), Some(1_999))))) {
                    Ok(_) => 1,
                    Err(StoreError::Refused(problem)) if problem.code == Code::Gone => 0,
                    Err(error) => panic!("{error:?}"),
                }
            }
        };
        let all: Vec<_> = (0..16).map(|number| scope.spawn(each(number))).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum::<i64>()
    });
    assert_eq!((won, owed(w)), (3, 1_500), "never beyond the limit, however many come at once");
    sums(w);
}

fn payments_free_the_limit_and_are_booked_once(w: &World) {
    give(w, VoucherCommand::Accept(Box::new(foreign("f1"))));
    give(w, limited("bob", Some(500)));
    let payment = |amount, reference: &str, received| {
        VoucherCommand::Pay(Payment {
            peer: "omantel".into(),
            organisation: "acme".into(),
            received,
            amount,
            currency: "EUR".into(),
            reference: reference.into(),
        })
    };
    assert_eq!(refused(w, payment(500, "t1", true)), Code::Conflict, "it hasn't agreed yet");
    ask(w);
    answered(w, vec![accepted("r-f1-bob")]);
    assert_eq!(refused(w, limited("carol", Some(500))), Code::Gone);
    assert_eq!(refused(w, payment(501, "t1", true)), Code::Conflict, "more than it owes");
    assert_eq!(refused(w, payment(1, "t1", false)), Code::Conflict, "nothing is owed to it");
    assert_eq!(give(w, payment(400, "t1", true)), give(w, payment(400, "t1", true)), "the same is booked once");
    assert_eq!(refused(w, payment(100, "t1", true)), Code::Conflict, "another one of the same reference");
    assert_eq!(owed(w), 100);
    give(w, payment(100, "t2", true));
    give(w, limited("carol", Some(500)));
    assert!(sums(w).contains(&("acme:bank:EUR".into(), 500)));
    // The other way round.
    issue(w, "k1", vec![voucher("v1", "b1", 1)]);
    let claim =
        Claim { id: "r1".into(), voucher: "v1".into(), nonce: "nonce-v1".into(), amount: 500, currency: "EUR".into() };
    give(w, VoucherCommand::Judge { peer: "omantel".into(), claims: vec![claim] });
    give(w, payment(500, "t3", false));
    let after = sums(w);
    assert!(after.contains(&("acme:payable/omantel:EUR".into(), 0)) && after.contains(&("acme:bank:EUR".into(), 0)));
}

fn what_a_peer_paid_for_is_written_off_as_income(w: &World) {
    give(w, VoucherCommand::Accept(Box::new(foreign("f1"))));
    issue(w, "k1", vec![voucher("v1", "b1", 1)]);
    redeem(w, "f1", "bob");
    redeem(w, "v1", "bob");
    give(w, VoucherCommand::WriteOff { customer: "bob".into(), issuer: "acme".into(), key: "run/3".into() });
    let expected = [
        ("acme:clearing/omantel:EUR".into(), 500),
        ("acme:unused-credit:EUR".into(), -500),
        ("acme:vouchers-granted:EUR".into(), 0),
        ("bob:credit:EUR".into(), 0),
    ];
    assert_eq!(sums(w), expected, "omantel owes what it owes, and acme's own expense is its own");
}

fn claims_are_judged_once_and_answers_are_booked_once(w: &World) {
    // Here it is redeemed …
    for _ in 0..2 {
        give(w, VoucherCommand::Accept(Box::new(foreign("f1"))));
    }
    redeem(w, "f1", "bob");
    redeem(w, "f1", "carol");
    let open = w.store.voucher_claims(Direction::Out, None, Some(ClaimState::Pending), 10).unwrap();
    assert_eq!(open.len(), 2);
    let verdicts = vec![
        Verdict { id: open[0].id.clone(), state: ClaimState::Accepted, reason: None },
        Verdict { id: open[1].id.clone(), state: ClaimState::Disputed, reason: Some("twice".into()) },
        Verdict { id: "nobody's".into(), state: ClaimState::Accepted, reason: None },
    ];
    for count in [2, 0] {
        let left = vec![verdicts[2].clone()];
        assert_eq!(answered(w, verdicts.clone()), Booked { count, left }, "what nobody asked is told");
    }
    let other = Verdict { id: open[1].id.clone(), state: ClaimState::Accepted, reason: None };
    assert_eq!(answered(w, vec![other.clone()]), Booked { count: 0, left: vec![other] }, "another answer than before");
    let here = sums(w);
    let of = |account: &str| here.iter().find(|(id, _)| id == account).map(|(_, amount)| *amount);
    assert_eq!(of("acme:clearing/omantel:EUR"), Some(0));
    assert_eq!((of("acme:receivable/omantel:EUR"), of("acme:disputed-vouchers:EUR")), (Some(500), Some(500)));
    assert_eq!(refused(w, VoucherCommand::Reverse { key: "key/f1/bob".into() }), Code::Conflict);
    // … and there it was issued.
    issue(w, "k1", vec![voucher("v1", "b1", 1)]);
    let claim = |id: &str, nonce: &str, amount| Claim {
        id: id.into(),
        voucher: "v1".into(),
        nonce: nonce.into(),
        amount,
        currency: "EUR".into(),
    };
    let judge = |claims: Vec<Claim>| match give(w, VoucherCommand::Judge { peer: "muscat".into(), claims }) {
        VoucherReply::Verdicts(verdicts) => verdicts.into_iter().map(|one| one.state).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    use ClaimState::{Accepted, Disputed};
    let claims = vec![
        claim("r0", "wrong", 500),
        claim("r1", "nonce-v1", 499),
        claim("r2", "nonce-v1", 500),
        claim("r3", "nonce-v1", 500),
    ];
    assert_eq!(judge(claims.clone()), [Disputed, Disputed, Accepted, Disputed]);
    assert_eq!(judge(claims), [Disputed, Disputed, Accepted, Disputed], "asked again, the same is answered");
    assert_eq!(judge(vec![claim("r2", "nonce-v1", 501)]), [Disputed], "another claim under an old id");
    let there = sums(w);
    assert!(there.contains(&("acme:payable/muscat:EUR".into(), -500)), "{there:?}");
    assert_eq!(times(w, "v1"), 1);
    assert_eq!(refused(w, asked("v1", "dave", None)), Code::Gone, "it is used up by what was redeemed elsewhere");
}
