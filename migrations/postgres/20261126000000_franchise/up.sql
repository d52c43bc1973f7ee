-- Vouchers, what became of them, and the ledger. Amounts are whole numbers of a currency's smallest unit.

-- Vouchers that were issued together.
CREATE TABLE voucher_batches (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    issuer TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL UNIQUE,
    count BIGINT NOT NULL,
    credit BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    signed BOOLEAN NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    CHECK (count >= 1 AND credit >= 1),
    CHECK (length(currency) = 3)
);
CREATE INDEX voucher_batches_issuer ON voucher_batches (issuer, id);

-- A voucher: a hash of its code under a key that isn't here, and the code sealed with another such key. `origin` is the
-- Sovereign that signed it, for one that was issued elsewhere.
CREATE TABLE vouchers (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    batch TEXT COLLATE "C" REFERENCES voucher_batches (id),
    issuer TEXT COLLATE "C" NOT NULL,
    origin TEXT COLLATE "C",
    lookup TEXT COLLATE "C" NOT NULL UNIQUE,
    sealed TEXT COLLATE "C" NOT NULL,
    nonce TEXT COLLATE "C" NOT NULL,
    credit BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    active BOOLEAN NOT NULL,
    max_redemptions BIGINT NOT NULL,
    times_redeemed BIGINT NOT NULL,
    products TEXT COLLATE "C" NOT NULL,
    expires_at_ms BIGINT,
    created_at_ms BIGINT NOT NULL,
    deleted_at_ms BIGINT,
    CHECK ((batch IS NULL) = (origin IS NOT NULL)),
    CHECK (credit >= 1 AND max_redemptions >= 0 AND times_redeemed >= 0),
    CHECK (max_redemptions = 0 OR times_redeemed <= max_redemptions),
    CHECK (length(currency) = 3),
    CHECK (deleted_at_ms IS NULL OR NOT active)
);
CREATE INDEX vouchers_batch ON vouchers (batch, id);
CREATE INDEX vouchers_issuer ON vouchers (issuer, id);
-- What a Sovereign has signed once is one voucher here.
CREATE UNIQUE INDEX vouchers_origin ON vouchers (origin, nonce) WHERE origin IS NOT NULL;

-- The ledger: whose money stands where. An account's currency never changes.
CREATE TABLE ledger_accounts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organisation TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    UNIQUE (organisation, name, currency),
    UNIQUE (id, currency),
    CHECK (kind IN ('asset', 'liability', 'income', 'expense')),
    CHECK (length(currency) = 3)
);

-- Entries stand before their transaction: it closes them, if they balance. A debit is positive, a credit negative.
CREATE TABLE ledger_entries (
    transaction_id TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (transaction_id, seq),
    FOREIGN KEY (account, currency) REFERENCES ledger_accounts (id, currency),
    CHECK (amount <> 0 AND seq >= 1)
);
CREATE INDEX ledger_entries_account ON ledger_entries (account, transaction_id);

CREATE TABLE ledger_transactions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    reference TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    reverses TEXT COLLATE "C" UNIQUE REFERENCES ledger_transactions (id),
    CHECK (kind IN ('redeem', 'reverse', 'settle', 'dispute', 'write_off', 'pay')),
    CHECK ((kind = 'reverse') = (reverses IS NOT NULL))
);
-- Nothing is booked twice.
CREATE UNIQUE INDEX ledger_transactions_once ON ledger_transactions (kind, reference) WHERE reference <> '';

-- Who redeemed a voucher: an organisation, and a hash of the e-mail address under a key that isn't here. Each once, unless it
-- was taken back. Nothing is ever removed.
CREATE TABLE voucher_redemptions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    voucher TEXT COLLATE "C" NOT NULL REFERENCES vouchers (id),
    key TEXT COLLATE "C" NOT NULL UNIQUE,
    customer TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    product TEXT COLLATE "C",
    amount BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    transaction_id TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES ledger_transactions (id),
    redeemed_at_ms BIGINT NOT NULL,
    reversed_by TEXT COLLATE "C" UNIQUE REFERENCES ledger_transactions (id),
    reversed_at_ms BIGINT,
    CHECK (amount >= 1),
    CHECK ((reversed_by IS NULL) = (reversed_at_ms IS NULL))
);
CREATE UNIQUE INDEX voucher_redemptions_customer ON voucher_redemptions (voucher, customer) WHERE reversed_by IS NULL;
CREATE UNIQUE INDEX voucher_redemptions_holder ON voucher_redemptions (voucher, holder) WHERE reversed_by IS NULL;
CREATE INDEX voucher_redemptions_of ON voucher_redemptions (customer, id);
CREATE INDEX voucher_redemptions_voucher ON voucher_redemptions (voucher, id);
CREATE INDEX voucher_redemptions_product ON voucher_redemptions (voucher, product) WHERE reversed_by IS NULL;

-- What one Sovereign has to ask of another for vouchers of the other's that were redeemed here (`out`), and what others have
-- asked of this one (`in`).
CREATE TABLE voucher_claims (
    direction TEXT COLLATE "C" NOT NULL,
    peer TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    voucher TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    nonce TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C",
    transaction_id TEXT COLLATE "C" REFERENCES ledger_transactions (id),
    created_at_ms BIGINT NOT NULL,
    settled_at_ms BIGINT,
    PRIMARY KEY (direction, peer, id),
    CHECK (direction IN ('in', 'out')),
    CHECK (state IN ('pending', 'asked', 'accepted', 'disputed', 'withdrawn')),
    CHECK ((state IN ('pending', 'asked')) = (settled_at_ms IS NULL)),
    CHECK ((state = 'disputed') = (reason IS NOT NULL)),
    CHECK (amount >= 1)
);
CREATE INDEX voucher_claims_open ON voucher_claims (direction, state, peer, id);

ALTER TABLE ledger_entries ADD FOREIGN KEY (transaction_id) REFERENCES ledger_transactions (id) DEFERRABLE INITIALLY DEFERRED;

CREATE FUNCTION ledger_entry_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_transactions WHERE id = NEW.transaction_id) THEN
        RAISE EXCEPTION 'the transaction is closed: nothing is added to it';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER ledger_entries_closed BEFORE INSERT ON ledger_entries FOR EACH ROW EXECUTE FUNCTION ledger_entry_is_open();

CREATE FUNCTION ledger_transaction_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM ledger_entries WHERE transaction_id = NEW.id) < 2
        OR EXISTS (SELECT 1 FROM ledger_entries WHERE transaction_id = NEW.id GROUP BY currency HAVING sum(amount) <> 0)
    THEN
        RAISE EXCEPTION 'the entries of a transaction have to sum to 0 in each currency';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER ledger_transactions_balance BEFORE INSERT ON ledger_transactions FOR EACH ROW
    EXECUTE FUNCTION ledger_transaction_balances();

-- Somebody else's entries aren't seen before they are committed: so it is looked once more when this is.
CREATE FUNCTION ledger_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_entries WHERE transaction_id = NEW.transaction_id GROUP BY currency HAVING sum(amount) <> 0)
    THEN
        RAISE EXCEPTION 'the entries of a transaction have to sum to 0 in each currency';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER ledger_entries_balance AFTER INSERT ON ledger_entries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION ledger_entry_balances();

CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only';
END
$$;
CREATE TRIGGER ledger_accounts_append_only BEFORE UPDATE OR DELETE ON ledger_accounts FOR EACH ROW
    EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE ON ledger_entries FOR EACH ROW
    EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_transactions_append_only BEFORE UPDATE OR DELETE ON ledger_transactions FOR EACH ROW
    EXECUTE FUNCTION ledger_is_append_only();

CREATE FUNCTION vouchers_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'vouchers and what became of them are kept';
END
$$;
CREATE TRIGGER voucher_redemptions_kept BEFORE DELETE ON voucher_redemptions FOR EACH ROW EXECUTE FUNCTION vouchers_are_kept();
CREATE TRIGGER voucher_claims_kept BEFORE DELETE ON voucher_claims FOR EACH ROW EXECUTE FUNCTION vouchers_are_kept();
CREATE TRIGGER vouchers_kept BEFORE DELETE ON vouchers FOR EACH ROW EXECUTE FUNCTION vouchers_are_kept();
CREATE TRIGGER voucher_batches_kept BEFORE DELETE ON voucher_batches FOR EACH ROW EXECUTE FUNCTION vouchers_are_kept();
