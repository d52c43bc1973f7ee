//! The ledger: accounts that are opened when something is booked on them, and transactions whose entries the database itself
//! refuses unless they balance.

use diesel::prelude::*;
use windlass_model::{
    Code,
    ledger::{Account, AccountKind, Balance, EntryFilter, EntryRecord, LedgerCheck, TransactionKind},
};

use crate::{
    apply::Cx,
    connection::AnyConnection,
    dialect::both,
    error::{Applied, refuse},
    schema::{ledger_accounts, ledger_entries, ledger_transactions},
    tables::{LedgerAccount, LedgerEntry, LedgerTransaction},
};

/// Entries that one listing gives if nobody says otherwise.
const LIST_LIMIT: u32 = 100;
/// Faults that a check lists, at most.
const FAULTS: i64 = 100;

/// What is booked at once.
pub(crate) struct Posting<'a> {
    pub kind: TransactionKind,
    /// What it is about: with the kind it is unique.
    pub reference: &'a str,
    pub description: &'a str,
    pub currency: &'a str,
    /// Accounts and amounts: debits positive, credits negative.
    pub entries: &'a [(Account, i64)],
}

/// Books; the transaction's id, which sorts by time.
pub(crate) fn post(cx: &mut Cx, posting: &Posting) -> Applied<String> {
    open(cx, posting)?;
    let entries = posting.entries.iter().map(|(account, amount)| (account.id(posting.currency), *amount));
    close(cx, posting, entries.collect(), None)
}

/// Books the opposite of a transaction; the new one's id.
pub(crate) fn reverse(cx: &mut Cx, transaction: &str, description: &str) -> Applied<String> {
    let entries: Vec<(String, i64, String)> = ledger_entries::table
        .filter(ledger_entries::transaction_id.eq(transaction))
        .order(ledger_entries::seq)
        .select((ledger_entries::account, ledger_entries::amount, ledger_entries::currency))
        .load(cx.conn)?;
    let Some((.., currency)) = entries.first().cloned() else {
        return refuse(Code::NotFound, format!("there is no transaction `{transaction}`"));
    };
    let kind = TransactionKind::Reverse;
    let posting = Posting { kind, reference: transaction, description, currency: &currency, entries: &[] };
    let entries = entries.into_iter().map(|(account, amount, _)| (account, -amount)).collect();
    close(cx, &posting, entries, Some(transaction))
}

/// Opens the accounts that aren't there yet, always in the same order.
fn open(cx: &mut Cx, posting: &Posting) -> Applied<()> {
    let mut rows: Vec<LedgerAccount> = posting
        .entries
        .iter()
        .map(|(account, _)| LedgerAccount {
            id: account.id(posting.currency),
            organisation: account.organisation.clone(),
            name: account.name.clone(),
            kind: account.kind.to_string(),
            currency: posting.currency.to_owned(),
            created_at_ms: cx.now_ms,
        })
        .collect();
    rows.sort_by(|one, other| one.id.cmp(&other.id));
    for row in &rows {
        both!(cx.conn, c => diesel::insert_into(ledger_accounts::table)
            .values(row)
            .on_conflict(ledger_accounts::id)
            .do_nothing()
            .execute(c))?;
    }
    Ok(())
}

/// Writes the entries, and then the transaction, which closes them.
fn close(cx: &mut Cx, posting: &Posting, entries: Vec<(String, i64)>, reverses: Option<&str>) -> Applied<String> {
    let id = format!("{:014}.{}.{}", cx.now_ms, posting.kind, posting.reference);
    let rows = entries.into_iter().zip(1..).map(|((account, amount), seq)| LedgerEntry {
        transaction_id: id.clone(),
        seq,
        account,
        amount,
        currency: posting.currency.to_owned(),
    });
    for row in rows {
        diesel::insert_into(ledger_entries::table).values(&row).execute(cx.conn)?;
    }
    let transaction = LedgerTransaction {
        id: id.clone(),
        at_ms: cx.now_ms,
        kind: posting.kind.to_string(),
        reference: posting.reference.to_owned(),
        description: posting.description.to_owned(),
        reverses: reverses.map(str::to_owned),
    };
    diesel::insert_into(ledger_transactions::table).values(&transaction).execute(cx.conn)?;
    Ok(id)
}

#[derive(QueryableByName)]
struct BalanceRow {
    #[diesel(sql_type = diesel::sql_types::Text)]
    id: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    organisation: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    kind: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    currency: String,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    amount: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    entries: i64,
}

impl BalanceRow {
    fn balance(self) -> Balance {
        Balance {
            account: self.id,
            organisation: self.organisation,
            name: self.name,
            kind: AccountKind::parse(&self.kind).unwrap_or(AccountKind::Asset),
            currency: self.currency,
            amount: self.amount,
            entries: self.entries,
        }
    }
}

const SUMS: &str = "SELECT a.id, a.organisation, a.name, a.kind, a.currency, \
    CAST(coalesce(sum(e.amount), 0) AS BIGINT) AS amount, CAST(count(e.seq) AS BIGINT) AS entries \
    FROM ledger_accounts a LEFT JOIN ledger_entries e ON e.account = a.id";

/// Sums of the accounts of an organisation (none: of all), by account.
pub(crate) fn balances(conn: &mut AnyConnection, organisation: Option<&str>) -> QueryResult<Vec<Balance>> {
    use diesel::sql_types::Text;
    const END: &str = "GROUP BY a.id, a.organisation, a.name, a.kind, a.currency ORDER BY a.id";
    let rows: Vec<BalanceRow> = match (organisation, conn) {
        (None, conn) => both!(conn, c => diesel::sql_query(format!("{SUMS} {END}")).load(c))?,
        (Some(name), AnyConnection::Sqlite(c)) => {
            diesel::sql_query(format!("{SUMS} WHERE a.organisation = ? {END}")).bind::<Text, _>(name).load(c)?
        }
        (Some(name), AnyConnection::Postgres(c)) => {
            diesel::sql_query(format!("{SUMS} WHERE a.organisation = $1 {END}")).bind::<Text, _>(name).load(c)?
        }
    };
    Ok(rows.into_iter().map(BalanceRow::balance).collect())
}

/// An account's sum; 0 if it was never opened.
pub(crate) fn sum(conn: &mut AnyConnection, account: &str) -> QueryResult<i64> {
    use diesel::sql_types::{BigInt, Text};
    const SUM: &str = "SELECT CAST(coalesce(sum(amount), 0) AS BIGINT) AS amount FROM ledger_entries WHERE account = ";
    #[derive(QueryableByName)]
    struct Sum {
        #[diesel(sql_type = BigInt)]
        amount: i64,
    }
    let place = if matches!(conn, AnyConnection::Postgres(_)) { "$1" } else { "?" };
    let text = format!("{SUM}{place}");
    let sum: Sum = both!(conn, c => diesel::sql_query(&text).bind::<Text, _>(account).get_result(c))?;
    Ok(sum.amount)
}

/// The transaction of a kind that has this reference.
pub(crate) fn booked(
    conn: &mut AnyConnection,
    kind: TransactionKind,
    reference: &str,
) -> QueryResult<Option<LedgerTransaction>> {
    let of_it = ledger_transactions::table
        .filter(ledger_transactions::kind.eq(kind.as_str()))
        .filter(ledger_transactions::reference.eq(reference));
    of_it.select(LedgerTransaction::as_select()).first(conn).optional()
}

/// Entries, newest first.
pub(crate) fn entries(conn: &mut AnyConnection, filter: &EntryFilter) -> QueryResult<Vec<EntryRecord>> {
    type Row = (LedgerEntry, i64, String, String, String, String);
    let mut query = ledger_entries::table
        .inner_join(ledger_transactions::table.on(ledger_transactions::id.eq(ledger_entries::transaction_id)))
        .inner_join(ledger_accounts::table.on(ledger_accounts::id.eq(ledger_entries::account)))
        .select((
            LedgerEntry::as_select(),
            ledger_transactions::at_ms,
            ledger_transactions::kind,
            ledger_transactions::reference,
            ledger_transactions::description,
            ledger_accounts::organisation,
        ))
        .order((ledger_entries::transaction_id.desc(), ledger_entries::seq.desc()))
        .into_boxed();
    if let Some(organisations) = &filter.organisations {
        query = query.filter(ledger_accounts::organisation.eq_any(organisations));
    }
    if let Some((transaction, seq)) = &filter.before {
        let earlier = ledger_entries::transaction_id.lt(transaction);
        let same = ledger_entries::transaction_id.eq(transaction).and(ledger_entries::seq.lt(seq));
        query = query.filter(earlier.or(same));
    }
    let limit = if filter.limit == 0 { LIST_LIMIT } else { filter.limit };
    let rows: Vec<Row> = query.limit(i64::from(limit)).load(conn)?;
    let record = |(entry, at_ms, kind, reference, description, organisation): Row| EntryRecord {
        transaction: entry.transaction_id,
        seq: entry.seq,
        at_ms,
        kind: TransactionKind::parse(&kind).unwrap_or(TransactionKind::Settle),
        reference,
        description,
        account: entry.account,
        organisation,
        amount: entry.amount,
        currency: entry.currency,
    };
    Ok(rows.into_iter().map(record).collect())
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = diesel::sql_types::Text)]
    word: String,
}

/// What each fault is, and how it is found. The database keeps most of them out: this looks whether it did.
const CHECKS: &[(&str, &str)] = &[
    (
        "the entries of this transaction don't sum to 0",
        "SELECT transaction_id AS word FROM ledger_entries GROUP BY transaction_id, currency HAVING sum(amount) <> 0",
    ),
    (
        "this transaction has fewer than two entries",
        "SELECT t.id AS word FROM ledger_transactions t LEFT JOIN ledger_entries e ON e.transaction_id = t.id \
         GROUP BY t.id HAVING count(e.seq) < 2",
    ),
    (
        "these entries have no transaction",
        "SELECT DISTINCT e.transaction_id AS word FROM ledger_entries e WHERE NOT EXISTS \
         (SELECT 1 FROM ledger_transactions t WHERE t.id = e.transaction_id)",
    ),
    (
        "an entry on this account is in another currency than the account",
        "SELECT DISTINCT a.id AS word FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account \
         WHERE a.currency <> e.currency",
    ),
    (
        "this voucher was redeemed another number of times than it says",
        "SELECT v.id AS word FROM vouchers v LEFT JOIN voucher_redemptions r ON r.voucher = v.id AND r.reversed_by IS NULL \
         GROUP BY v.id, v.times_redeemed HAVING count(r.id) <> v.times_redeemed",
    ),
    (
        "what this redemption has booked isn't its amount",
        "SELECT r.id AS word FROM voucher_redemptions r LEFT JOIN ledger_entries e ON e.transaction_id = r.transaction_id \
         AND e.amount = r.amount AND e.currency = r.currency GROUP BY r.id HAVING count(e.seq) <> 1",
    ),
    (
        "this redemption is taken back, and what took it back isn't the reverse of what it booked",
        "SELECT r.id AS word FROM voucher_redemptions r WHERE r.reversed_by IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM ledger_transactions t WHERE t.id = r.reversed_by AND t.reverses = r.transaction_id)",
    ),
];

/// Looks at the whole ledger, and at what has booked on it.
pub(crate) fn check(conn: &mut AnyConnection) -> QueryResult<LedgerCheck> {
    let mut found = LedgerCheck {
        transactions: ledger_transactions::table.count().get_result(conn)?,
        entries: ledger_entries::table.count().get_result(conn)?,
        faults: Vec::new(),
    };
    for (what, text) in CHECKS {
        let text = format!("{text} ORDER BY 1 LIMIT {FAULTS}");
        let words: Vec<Word> = both!(&mut *conn, c => diesel::sql_query(&text).load(c))?;
        found.faults.extend(words.into_iter().map(|row| format!("{what}: {}", row.word)));
    }
    Ok(found)
}
