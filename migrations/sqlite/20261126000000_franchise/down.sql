-- Entries and transactions refer to each other, and their rows aren't to be deleted: the triggers go first.
DROP TRIGGER ledger_accounts_no_update;
DROP TRIGGER ledger_accounts_no_delete;
DROP TRIGGER ledger_entries_no_update;
DROP TRIGGER ledger_entries_no_delete;
DROP TRIGGER ledger_transactions_no_update;
DROP TRIGGER ledger_transactions_no_delete;
DROP TRIGGER voucher_redemptions_no_delete;
DROP TRIGGER voucher_claims_no_delete;
DROP TRIGGER vouchers_no_delete;
DROP TRIGGER voucher_batches_no_delete;
DROP TABLE voucher_claims;
DROP TABLE voucher_redemptions;
DROP TABLE ledger_entries;
DROP TABLE ledger_transactions;
DROP TABLE ledger_accounts;
DROP TABLE vouchers;
DROP TABLE voucher_batches;
