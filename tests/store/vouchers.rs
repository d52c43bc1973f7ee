//! Vouchers and the ledger on both databases: what is redeemed is booked, what doesn't balance isn't kept, and nothing goes.

mod peers;

use windlass_model::{
    Code,
    command::{Command, Reply},
    ledger::{Balance, EntryFilter},
    voucher::{
        BatchRecord, NewBatch, NewRedemption, Products, RedemptionRecord, SealedVoucher, VoucherCommand, VoucherFilter,
        VoucherRecord, VoucherReply,
    },
};

use windlass_store::StoreError;

use super::world::World;

super::on_both!(
    a_redemption_is_one_balanced_transaction,
    a_voucher_is_redeemed_as_often_as_it_may_be_and_once_a_customer,
    products_have_limits_of_their_own,
    what_is_taken_back_is_booked_the_other_way_round,
    revoked_expired_and_deleted_ones_are_closed,
    the_same_key_does_nothing_twice,
    of_two_machines_with_the_same_key_each_finds_the_one,
    totals_never_overflow,
    nothing_is_booked_twice_under_a_reference,
    what_is_left_is_written_off_once,
    of_two_machines_no_more_redeem_than_may,
    the_database_itself_refuses_what_does_not_balance,
);

fn give(w: &World, command: VoucherCommand) -> VoucherReply {
    match w.ok(Command::Voucher(Box::new(command))) {
        Reply::Voucher(reply) => *reply,
        other => panic!("{other:?}"),
    }
}

fn refused(w: &World, command: VoucherCommand) -> Code {
    w.refused(Command::Voucher(Box::new(command)))
}

fn voucher(id: &str, batch: &str, max_redemptions: i64) -> SealedVoucher {
    SealedVoucher {
        lookup: format!("hash of {id}"),
        sealed: "sealed".into(),
        nonce: format!("nonce-{id}"),
        voucher: VoucherRecord {
            id: id.into(),
            batch: Some(batch.into()),
            issuer: "acme".into(),
            origin: None,
            credit: 500,
            currency: "EUR".into(),
            description: String::new(),
            active: true,
            max_redemptions,
            times_redeemed: 0,
            products: Products::new(),
            expires_at_ms: None,
            created_at_ms: 0,
            deleted_at_ms: None,
        },
    }
}

fn issue(w: &World, key: &str, vouchers: Vec<SealedVoucher>) -> BatchRecord {
    let batch = BatchRecord {
        id: vouchers[0].voucher.batch.clone().unwrap(),
        issuer: "acme".into(),
        name: "spring".into(),
        count: 1,
        credit: 500,
        currency: "EUR".into(),
        signed: false,
        created_by: "ann".into(),
        created_at_ms: 0,
    };
    match give(w, VoucherCommand::Issue(Box::new(NewBatch { batch, key: key.into(), vouchers }))) {
        VoucherReply::Batch(batch) => batch,
        other => panic!("{other:?}"),
    }
}

fn asked(voucher: &str, customer: &str, product: Option<&str>) -> VoucherCommand {
    VoucherCommand::Redeem(Box::new(NewRedemption {
        id: format!("r-{voucher}-{customer}"),
        voucher: voucher.into(),
        key: format!("key/{voucher}/{customer}"),
        customer: customer.into(),
        holder: format!("hash of {customer}"),
        product: product.map(str::to_owned),
        limit: Some(1_000),
    }))
}

fn redeem(w: &World, voucher: &str, customer: &str) -> RedemptionRecord {
    match give(w, asked(voucher, customer, None)) {
        VoucherReply::Redemption(redemption) => redemption,
        other => panic!("{other:?}"),
    }
}

fn sums(w: &World) -> Vec<(String, i64)> {
    let check = w.store.ledger_check().unwrap();
    assert!(check.faults.is_empty(), "{check:?}");
    let balances = w.store.ledger_balances(None).unwrap();
    assert_eq!(balances.iter().map(|one| one.amount).sum::<i64>(), 0, "everything balances");
    balances.into_iter().map(|Balance { account, amount, .. }| (account, amount)).collect()
}

fn times(w: &World, id: &str) -> i64 {
    w.store.voucher(id).unwrap().unwrap().voucher.times_redeemed
}

fn a_redemption_is_one_balanced_transaction(w: &World) {
    issue(w, "k1", vec![voucher("v1", "b1", 1)]);
    let redemption = redeem(w, "v1", "bob");
    assert_eq!((redemption.amount, redemption.currency.as_str()), (500, "EUR"));
    assert_eq!(sums(w), [("acme:vouchers-granted:EUR".into(), 500), ("bob:credit:EUR".into(), -500)]);
    let entries = w.store.ledger_entries(&EntryFilter::default()).unwrap();
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|entry| entry.transaction == redemption.transaction));
    let own = EntryFilter { organisations: Some(vec!["bob".into()]), ..EntryFilter::default() };
    assert_eq!(w.store.ledger_entries(&own).unwrap().len(), 1);
    let first = &entries[0];
    let before = Some((first.transaction.clone(), first.seq));
    assert_eq!(w.store.ledger_entries(&EntryFilter { before, ..EntryFilter::default() }).unwrap(), entries[1..]);
    assert_eq!(w.store.ledger_balances(Some("bob")).unwrap().len(), 1);
}

fn a_voucher_is_redeemed_as_often_as_it_may_be_and_once_a_customer(w: &World) {
    issue(w, "k1", vec![voucher("v1", "b1", 2), voucher("v2", "b1", 0)]);
    redeem(w, "v1", "bob");
    let mut again = asked("v1", "bob", None);
    if let VoucherCommand::Redeem(new) = &mut again {
        (new.id, new.key, new.holder) = ("r-other".into(), "other".into(), "hash of another address".into());
    }
    assert_eq!(refused(w, again.clone()), Code::Conflict, "the same organisation with another address");
    if let VoucherCommand::Redeem(new) = &mut again {
        (new.customer, new.holder) = ("bob-two".into(), "hash of bob".into());
    }
    assert_eq!(refused(w, again), Code::Conflict, "the same address with another organisation");
    redeem(w, "v1", "carol");
    assert_eq!(refused(w, asked("v1", "dave", None)), Code::Gone);
    for customer in ["a", "b", "c", "d"] {
        redeem(w, "v2", customer);
    }
    assert_eq!((times(w, "v1"), times(w, "v2")), (2, 4));
    assert_eq!(refused(w, asked("none", "dave", None)), Code::NotFound);
    let totals = w.store.voucher_totals(None).unwrap();
    let one = &totals[0];
    assert_eq!((one.vouchers, one.issued, one.redeemed, one.outstanding, one.unlimited), (2, 1_000, 3_000, 0, 1));
    assert!(w.store.voucher_totals(Some(&["other".into()])).unwrap().is_empty());
    sums(w);
}

fn products_have_limits_of_their_own(w: &World) {
    let mut one = voucher("v1", "b1", 0);
    one.voucher.products = Products::from([("small".into(), 1), ("large".into(), 0)]);
    issue(w, "k1", vec![one]);
    assert_eq!(refused(w, asked("v1", "bob", None)), Code::InvalidInput);
    assert_eq!(refused(w, asked("v1", "bob", Some("huge"))), Code::InvalidInput);
    give(w, asked("v1", "bob", Some("small")));
    assert_eq!(refused(w, asked("v1", "carol", Some("small"))), Code::Gone);
    give(w, asked("v1", "carol", Some("large")));
    assert_eq!(times(w, "v1"), 2);
}

fn what_is_taken_back_is_booked_the_other_way_round(w: &World) {
    issue(w, "k1", vec![voucher("v1", "b1", 1)]);
    let redemption = redeem(w, "v1", "bob");
    let reverse = || VoucherCommand::Reverse { key: "key/v1/bob".into() };
    for _ in 0..2 {
        let VoucherReply::Redemption(reversed) = give(w, reverse()) else { panic!("no redemption") };
        assert!(reversed.reversed_by.is_some_and(|by| by != redemption.transaction));
    }
    assert_eq!(sums(w), [("acme:vouchers-granted:EUR".into(), 0), ("bob:credit:EUR".into(), 0)]);
    assert_eq!((times(w, "v1"), w.store.ledger_entries(&EntryFilter::default()).unwrap().len()), (0, 4));
    assert_eq!(give(w, VoucherCommand::Reverse { key: "none".into() }), VoucherReply::Nothing);
    // It can be redeemed again, by the same one, too.
    let mut again = asked("v1", "bob", None);
    if let VoucherCommand::Redeem(new) = &mut again {
        (new.id, new.key) = ("r-again".into(), "again".into());
    }
    give(w, again);
    assert_eq!(times(w, "v1"), 1);
    sums(w);
}

fn revoked_expired_and_deleted_ones_are_closed(w: &World) {
    let mut expired = voucher("v3", "b1", 1);
    expired.voucher.expires_at_ms = Some(1);
    issue(w, "k1", vec![voucher("v1", "b1", 1), voucher("v2", "b1", 1), expired]);
    let revoke = |voucher: Option<&str>, batch: Option<&str>, delete| VoucherCommand::Revoke {
        voucher: voucher.map(str::to_owned),
        batch: batch.map(str::to_owned),
        delete,
    };
    assert_eq!(give(w, revoke(Some("v1"), None, false)), VoucherReply::Count(1));
    assert_eq!(give(w, revoke(Some("v1"), None, false)), VoucherReply::Count(0));
    for id in ["v1", "v3"] {
        assert_eq!(refused(w, asked(id, "bob", None)), Code::Gone, "{id}");
    }
    assert_eq!(give(w, revoke(Some("v1"), None, true)), VoucherReply::Count(1));
    let listed = |deleted| w.store.vouchers(&VoucherFilter { deleted, ..VoucherFilter::default() }).unwrap().len();
    assert_eq!((listed(false), listed(true)), (2, 3));
    assert_eq!(give(w, revoke(None, Some("k1"), false)), VoucherReply::Count(2), "a batch by its key");
    assert_eq!(give(w, revoke(None, Some("b9"), false)), VoucherReply::Count(0));
}

fn the_same_key_does_nothing_twice(w: &World) {
    let first = issue(w, "k1", vec![voucher("v1", "b1", 1)]);
    assert_eq!(issue(w, "k1", vec![voucher("v9", "b9", 1)]), first);
    assert_eq!(w.store.voucher("v9").unwrap(), None);
    assert_eq!(redeem(w, "v1", "bob"), redeem(w, "v1", "bob"));
    assert_eq!(times(w, "v1"), 1);
}

fn of_two_machines_with_the_same_key_each_finds_the_one(w: &World) {
    issue(w, "k1", vec![voucher("v1", "b1", 5)]);
    let other = w.second();
    for round in 0..10 {
        let gate = std::sync::Barrier::new(2);
        let customer = format!("c{round}");
        let found: Vec<Reply> = std::thread::scope(|scope| {
            let each = |number: usize| {
                let (store, gate) = (if number == 0 { &w.store } else { &other }, &gate);
                let mut new = asked("v1", &customer, None);
                if let VoucherCommand::Redeem(new) = &mut new {
                    new.id = format!("r-{round}-{number}");
                }
                let mut kept = voucher(&format!("n{round}-{number}"), &format!("n{round}-{number}"), 1);
                kept.voucher.issuer = "other".into();
                let batch = BatchRecord {
                    id: format!("n{round}-{number}"),
                    issuer: "other".into(),
                    name: "race".into(),
                    count: 1,
                    credit: 500,
                    currency: "EUR".into(),
                    signed: false,
                    created_by: "ann".into(),
                    created_at_ms: 0,
                };
                let issue = NewBatch { batch, key: format!("race/{round}"), vouchers: vec![kept] };
                let command = match round % 2 {
                    0 => new,
                    _ => VoucherCommand::Issue(Box::new(issue)),
                };
                move || {
                    gate.wait();
                    store.commit(Command::Voucher(Box::new(command))).unwrap()
                }
            };
            let all: Vec<_> = (0..2).map(|number| scope.spawn(each(number))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(found[0], found[1], "round {round}");
    }
    assert_eq!(times(w, "v1"), 5);
}

fn totals_never_overflow(w: &World) {
    let large = |id: &str| {
        let mut one = voucher(id, "b1", 1_000_000);
        one.voucher.credit = 1_000_000_000_000;
        one
    };
    issue(w, "k1", (0..20).map(|number| large(&format!("v{number}"))).collect());
    let mut elsewhere = voucher("w1", "b2", 3);
    elsewhere.voucher.issuer = "zeta".into();
    issue(w, "k2", vec![elsewhere]);
    let totals = w.store.voucher_totals(None).unwrap();
    assert_eq!((totals[0].issued, totals[0].outstanding), (i64::MAX, i64::MAX));
    let own = w.store.voucher_totals(Some(&["zeta".into(), "nobody".into()])).unwrap();
    assert_eq!((own.len(), own[0].issued, own[0].outstanding), (1, 1_500, 1_500));
    assert!(w.store.voucher_totals(Some(&[])).unwrap().is_empty());
}

fn nothing_is_booked_twice_under_a_reference(w: &World) {
    issue(w, "k1", vec![voucher("v1", "b1", 1)]);
    redeem(w, "v1", "bob");
    let booking = |id: &str, reference: &str| {
        let entry = |seq: i64, account: &str, amount: i64| {
            format!("INSERT INTO ledger_entries VALUES ('{id}', {seq}, '{account}', {amount}, 'EUR');")
        };
        let entries = format!("{}{}", entry(1, "acme:vouchers-granted:EUR", 5), entry(2, "bob:credit:EUR", -5));
        let close = format!("INSERT INTO ledger_transactions VALUES ('{id}', 1, 'settle', '{reference}', '', NULL);");
        w.sql(&format!("BEGIN; {entries} {close} COMMIT;"))
    };
    assert!(booking("t1", "omantel/r1"));
    assert!(!booking("t2", "omantel/r1"), "the same reference");
    assert!(booking("t3", "") && booking("t4", ""), "none is given");
}

fn what_is_left_is_written_off_once(w: &World) {
    issue(w, "k1", vec![voucher("v1", "b1", 1)]);
    redeem(w, "v1", "bob");
    for _ in 0..2 {
        let off = VoucherCommand::WriteOff { customer: "bob".into(), issuer: "acme".into(), key: "run/3".into() };
        assert_eq!(give(w, off), VoucherReply::Count(1));
    }
    assert_eq!(sums(w), [("acme:vouchers-granted:EUR".into(), 0), ("bob:credit:EUR".into(), 0)]);
}

fn of_two_machines_no_more_redeem_than_may(w: &World) {
    issue(w, "k1", vec![voucher("v1", "b1", 3)]);
    let other = w.second();
    let gate = std::sync::Barrier::new(40);
    let won = std::thread::scope(|scope| {
        let each = |number: usize| {
            let (store, gate) = (if number.is_multiple_of(2) { &w.store } else { &other }, &gate);
            move || {
                gate.wait();
                match store.commit(Command::Voucher(Box::new(asked("v1", &format!("c{number}"), None)))) {
                    Ok(_) => 1,
                    Err(StoreError::Refused(problem)) if problem.code == Code::Gone => 0,
                    Err(error) => panic!("{error:?}"),
                }
            }
        };
        let all: Vec<_> = (0..40).map(|number| scope.spawn(each(number))).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum::<i64>()
    });
    assert_eq!((won, times(w, "v1")), (3, 3));
    assert_eq!(sums(w).iter().filter(|(account, _)| account.contains(":credit:")).count(), 3);
}

fn the_database_itself_refuses_what_does_not_balance(w: &World) {
    issue(w, "k1", vec![voucher("v1", "b1", 1)]);
    redeem(w, "v1", "bob");
    let entry = |seq: i64, account: &str, amount: i64, currency: &str| {
        format!("INSERT INTO ledger_entries VALUES ('t', {seq}, '{account}', {amount}, '{currency}');")
    };
    let close = "INSERT INTO ledger_transactions VALUES ('t', 1, 'settle', 'x', '', NULL);";
    let (from, to) = ("acme:vouchers-granted:EUR", "bob:credit:EUR");
    let known: String = w.store.ledger_entries(&EntryFilter::default()).unwrap()[0].transaction.clone();
    for (what, text) in [
        ("one side", format!("{}{close}", entry(1, from, 5, "EUR"))),
        ("two sides that differ", format!("{}{}{close}", entry(1, from, 5, "EUR"), entry(2, to, -4, "EUR"))),
        ("another currency", format!("{}{}{close}", entry(1, from, 5, "USD"), entry(2, to, -5, "USD"))),
        ("nothing at all", close.to_owned()),
        ("no transaction", format!("{}{}", entry(1, from, 5, "EUR"), entry(2, to, -5, "EUR"))),
        ("an entry to a closed one", format!("INSERT INTO ledger_entries VALUES ('{known}', 9, '{to}', -5, 'EUR');")),
        ("a change", "UPDATE ledger_entries SET amount = amount * 2;".to_owned()),
        ("a removal", "DELETE FROM ledger_entries;".to_owned()),
        ("a removed transaction", "DELETE FROM ledger_transactions;".to_owned()),
        ("a changed account", "UPDATE ledger_accounts SET currency = 'USD';".to_owned()),
        ("a removed redemption", "DELETE FROM voucher_redemptions;".to_owned()),
        ("one time too many", "UPDATE vouchers SET times_redeemed = 2;".to_owned()),
    ] {
        assert!(!w.sql(&format!("BEGIN; {text} COMMIT;")), "{what}: {text}");
    }
    let good = format!("{}{}{close}", entry(1, from, 5, "EUR"), entry(2, to, -5, "EUR"));
    assert!(w.sql(&format!("BEGIN; {good} COMMIT;")), "what balances is kept");
    sums(w);
}
