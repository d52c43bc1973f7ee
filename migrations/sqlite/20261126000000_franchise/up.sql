-- Vouchers, what became of them, and the ledger. Amounts are whole numbers of a currency's smallest unit.

-- Vouchers that were issued together.
CREATE TABLE voucher_batches (
    id TEXT NOT NULL PRIMARY KEY,
    issuer TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    count BIGINT NOT NULL,
    credit BIGINT NOT NULL,
    currency TEXT NOT NULL,
    signed BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    CHECK (count >= 1 AND credit >= 1),
    CHECK (length(currency) = 3)
) WITHOUT ROWID;
CREATE INDEX voucher_batches_issuer ON voucher_batches (issuer, id);

-- A voucher: a hash of its code under a key that isn't here, and the code sealed with another such key. `origin` is the
-- Sovereign that signed it, for one that was issued elsewhere.
CREATE TABLE vouchers (
    id TEXT NOT NULL PRIMARY KEY,
    batch TEXT REFERENCES voucher_batches (id),
    issuer TEXT NOT NULL,
    origin TEXT,
    lookup TEXT NOT NULL UNIQUE,
    sealed TEXT NOT NULL,
    nonce TEXT NOT NULL,
    credit BIGINT NOT NULL,
    currency TEXT NOT NULL,
    description TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    max_redemptions BIGINT NOT NULL,
    times_redeemed BIGINT NOT NULL,
    products TEXT NOT NULL,
    expires_at_ms BIGINT,
    created_at_ms BIGINT NOT NULL,
    deleted_at_ms BIGINT,
    CHECK ((batch IS NULL) = (origin IS NOT NULL)),
    CHECK (credit >= 1 AND max_redemptions >= 0 AND times_redeemed >= 0),
    CHECK (max_redemptions = 0 OR times_redeemed <= max_redemptions),
    CHECK (length(currency) = 3),
    CHECK (deleted_at_ms IS NULL OR NOT active)
) WITHOUT ROWID;
CREATE INDEX vouchers_batch ON vouchers (batch, id);
CREATE INDEX vouchers_issuer ON vouchers (issuer, id);
-- What a Sovereign has signed once is one voucher here.
CREATE UNIQUE INDEX vouchers_origin ON vouchers (origin, nonce) WHERE origin IS NOT NULL;

-- The ledger: whose money stands where. An account's currency never changes.
CREATE TABLE ledger_accounts (
    id TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    currency TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    UNIQUE (organisation, name, currency),
    UNIQUE (id, currency),
    CHECK (kind IN ('asset', 'liability', 'income', 'expense')),
    CHECK (length(currency) = 3)
) WITHOUT ROWID;

-- Entries stand before their transaction: it closes them, if they balance. A debit is positive, a credit negative.
CREATE TABLE ledger_entries (
    transaction_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    account TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    PRIMARY KEY (transaction_id, seq),
    FOREIGN KEY (transaction_id) REFERENCES ledger_transactions (id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (account, currency) REFERENCES ledger_accounts (id, currency),
    CHECK (amount <> 0 AND seq >= 1)
) WITHOUT ROWID;
CREATE INDEX ledger_entries_account ON ledger_entries (account, transaction_id);

CREATE TABLE ledger_transactions (
    id TEXT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    kind TEXT NOT NULL,
    reference TEXT NOT NULL,
    description TEXT NOT NULL,
    reverses TEXT UNIQUE REFERENCES ledger_transactions (id),
    CHECK (kind IN ('redeem', 'reverse', 'settle', 'dispute', 'write_off', 'pay')),
    CHECK ((kind = 'reverse') = (reverses IS NOT NULL))
) WITHOUT ROWID;
-- Nothing is booked twice.
CREATE UNIQUE INDEX ledger_transactions_once ON ledger_transactions (kind, reference) WHERE reference <> '';

-- Who redeemed a voucher: an organisation, and a hash of the e-mail address under a key that isn't here. Each once, unless it
-- was taken back. Nothing is ever removed.
CREATE TABLE voucher_redemptions (
    id TEXT NOT NULL PRIMARY KEY,
    voucher TEXT NOT NULL REFERENCES vouchers (id),
    key TEXT NOT NULL UNIQUE,
    customer TEXT NOT NULL,
    holder TEXT NOT NULL,
    product TEXT,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    transaction_id TEXT NOT NULL UNIQUE REFERENCES ledger_transactions (id),
    redeemed_at_ms BIGINT NOT NULL,
    reversed_by TEXT UNIQUE REFERENCES ledger_transactions (id),
    reversed_at_ms BIGINT,
    CHECK (amount >= 1),
    CHECK ((reversed_by IS NULL) = (reversed_at_ms IS NULL))
) WITHOUT ROWID;
CREATE UNIQUE INDEX voucher_redemptions_customer ON voucher_redemptions (voucher, customer) WHERE reversed_by IS NULL;
CREATE UNIQUE INDEX voucher_redemptions_holder ON voucher_redemptions (voucher, holder) WHERE reversed_by IS NULL;
CREATE INDEX voucher_redemptions_of ON voucher_redemptions (customer, id);
CREATE INDEX voucher_redemptions_voucher ON voucher_redemptions (voucher, id);
CREATE INDEX voucher_redemptions_product ON voucher_redemptions (voucher, product) WHERE reversed_by IS NULL;

-- What one Sovereign has to ask of another for vouchers of the other's that were redeemed here (`out`), and what others have
-- asked of this one (`in`).
CREATE TABLE voucher_claims (
    direction TEXT NOT NULL,
    peer TEXT NOT NULL,
    id TEXT NOT NULL,
    voucher TEXT NOT NULL,
    organisation TEXT NOT NULL,
    nonce TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    transaction_id TEXT REFERENCES ledger_transactions (id),
    created_at_ms BIGINT NOT NULL,
    settled_at_ms BIGINT,
    PRIMARY KEY (direction, peer, id),
    CHECK (direction IN ('in', 'out')),
    CHECK (state IN ('pending', 'asked', 'accepted', 'disputed', 'withdrawn')),
    CHECK ((state IN ('pending', 'asked')) = (settled_at_ms IS NULL)),
    CHECK ((state = 'disputed') = (reason IS NOT NULL)),
    CHECK (amount >= 1)
) WITHOUT ROWID;
CREATE INDEX voucher_claims_open ON voucher_claims (direction, state, peer, id);

CREATE TRIGGER ledger_entries_closed BEFORE INSERT ON ledger_entries
WHEN EXISTS (SELECT 1 FROM ledger_transactions WHERE id = NEW.transaction_id)
BEGIN SELECT RAISE(ABORT, 'the transaction is closed: nothing is added to it'); END;
CREATE TRIGGER ledger_transactions_balance BEFORE INSERT ON ledger_transactions
WHEN (SELECT count(*) FROM ledger_entries WHERE transaction_id = NEW.id) < 2
    OR EXISTS (SELECT 1 FROM ledger_entries WHERE transaction_id = NEW.id GROUP BY currency HAVING sum(amount) <> 0)
BEGIN SELECT RAISE(ABORT, 'the entries of a transaction have to sum to 0 in each currency'); END;
CREATE TRIGGER ledger_accounts_no_update BEFORE UPDATE ON ledger_accounts BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_accounts_no_delete BEFORE DELETE ON ledger_accounts BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_transactions_no_update BEFORE UPDATE ON ledger_transactions BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_transactions_no_delete BEFORE DELETE ON ledger_transactions BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER voucher_redemptions_no_delete BEFORE DELETE ON voucher_redemptions BEGIN SELECT RAISE(ABORT, 'vouchers and what became of them are kept'); END;
CREATE TRIGGER voucher_claims_no_delete BEFORE DELETE ON voucher_claims BEGIN SELECT RAISE(ABORT, 'vouchers and what became of them are kept'); END;
CREATE TRIGGER vouchers_no_delete BEFORE DELETE ON vouchers BEGIN SELECT RAISE(ABORT, 'vouchers and what became of them are kept'); END;
CREATE TRIGGER voucher_batches_no_delete BEFORE DELETE ON voucher_batches BEGIN SELECT RAISE(ABORT, 'vouchers and what became of them are kept'); END;
