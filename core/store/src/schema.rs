//! The tables as Diesel sees them, the same for both databases.
#![allow(missing_docs)]

diesel::table! {
    bundles (digest) {
        digest -> Text,
        body -> Text,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    runs (id) {
        id -> Text,
        workflow -> Text,
        bundle -> Text,
        state -> Text,
        waiting_on -> Nullable<Text>,
        due_at_ms -> Nullable<BigInt>,
        input -> Text,
        output -> Nullable<Text>,
        problem -> Nullable<Text>,
        launched_by -> Text,
        idempotency_key -> Nullable<Text>,
        rollback -> Text,
        parent_run -> Nullable<Text>,
        parent_path -> Nullable<Text>,
        continues -> Nullable<Text>,
        tags -> Text,
        recoveries -> BigInt,
        launched_at_ms -> BigInt,
        started_at_ms -> Nullable<BigInt>,
        ended_at_ms -> Nullable<BigInt>,
        deadline_at_ms -> Nullable<BigInt>,
        retention_ms -> Nullable<BigInt>,
        cancel_requested -> Bool,
        concurrency_key -> Nullable<Text>,
        concurrency_limit -> Nullable<BigInt>,
        organisation -> Text,
        priority -> BigInt,
        rate_key -> Nullable<Text>,
        rate_limit -> Nullable<BigInt>,
        rate_per_ms -> Nullable<BigInt>,
        rate_at_ms -> Nullable<BigInt>,
        restored_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    nodes (id) {
        id -> Text,
        started_at_ms -> BigInt,
        seen_at_ms -> BigInt,
        version -> Text,
        workers -> BigInt,
        running -> BigInt,
        draining -> Bool,
    }
}

diesel::table! {
    run_terms (term, run_id) {
        term -> Text,
        run_id -> Text,
    }
}

diesel::table! {
    leases (run_id) {
        run_id -> Text,
        node -> Nullable<Text>,
        epoch -> BigInt,
        expires_at_ms -> Nullable<BigInt>,
        next_seq -> BigInt,
    }
}

diesel::table! {
    steps (run_id, path) {
        run_id -> Text,
        path -> Text,
        op -> Text,
        class -> Text,
        state -> Text,
        args -> Text,
        digest -> Binary,
        site -> Text,
        attempts -> BigInt,
        started_at_ms -> BigInt,
    }
}

diesel::table! {
    log (id) {
        id -> BigInt,
        run_id -> Text,
        seq -> BigInt,
        at_ms -> BigInt,
        kind -> Text,
        path -> Nullable<Text>,
        data -> Nullable<Text>,
        op -> Nullable<Text>,
        class -> Nullable<Text>,
        digest -> Nullable<Binary>,
        args -> Nullable<Text>,
        site -> Nullable<Text>,
        outcome -> Nullable<Text>,
        failed -> Nullable<Bool>,
        attempts -> Nullable<BigInt>,
        started_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    // Only in SQLite.
    log_blocks (run_id, block) {
        run_id -> Text,
        block -> BigInt,
        first_seq -> BigInt,
    }
}

diesel::table! {
    waits (run_id, path) {
        run_id -> Text,
        path -> Text,
        reason -> Text,
        name -> Nullable<Text>,
        due_at_ms -> Nullable<BigInt>,
        spec -> Text,
        since_ms -> BigInt,
    }
}

diesel::table! {
    signals (run_id, seq) {
        run_id -> Text,
        seq -> BigInt,
        name -> Text,
        payload -> Text,
        sent_by -> Text,
        signal_id -> Nullable<Text>,
        received_at_ms -> BigInt,
        consumed_by -> Nullable<Text>,
    }
}

diesel::table! {
    approvals (run_id, path) {
        run_id -> Text,
        path -> Text,
        request -> Text,
        settled -> Bool,
        asked_at_ms -> BigInt,
    }
}

diesel::table! {
    decisions (run_id, path, decided_by) {
        run_id -> Text,
        path -> Text,
        decided_by -> Text,
        seq -> BigInt,
        approved -> Bool,
        comment -> Nullable<Text>,
        form -> Text,
        digest -> Text,
        decided_at_ms -> BigInt,
    }
}

diesel::table! {
    locks (name) {
        name -> Text,
        run_id -> Text,
        acquired_at_ms -> BigInt,
    }
}

diesel::table! {
    lost_locks (run_id, name) {
        run_id -> Text,
        name -> Text,
    }
}

diesel::table! {
    chains (run_id) {
        run_id -> Text,
        root -> Text,
        round -> BigInt,
    }
}

diesel::table! {
    kv (key) {
        key -> Text,
        value -> Text,
        updated_at_ms -> BigInt,
    }
}

diesel::table! {
    resources (run_id, provider, kind, id) {
        run_id -> Text,
        provider -> Text,
        kind -> Text,
        id -> Text,
        origin -> Text,
        path -> Text,
        state -> Text,
        created_at_ms -> BigInt,
        updated_at_ms -> BigInt,
        organisation -> Text,
    }
}

diesel::table! {
    undo (run_id, seq) {
        run_id -> Text,
        seq -> BigInt,
        origin -> Text,
        path -> Text,
        spec -> Text,
        site -> Text,
        state -> Text,
        error -> Nullable<Text>,
        started_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    artifacts (run_id, name) {
        run_id -> Text,
        name -> Text,
        media_type -> Text,
        bytes -> BigInt,
        digest -> Text,
        content -> Binary,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    secrets (name) {
        name -> Text,
        sealed -> Binary,
        policy -> Text,
        created_at_ms -> BigInt,
        updated_at_ms -> BigInt,
    }
}

diesel::table! {
    documents (kind, id) {
        kind -> Text,
        id -> Text,
        organisation -> Text,
        version -> BigInt,
        body -> Text,
        created_at_ms -> BigInt,
        updated_at_ms -> BigInt,
        expires_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    document_keys (kind, key) {
        kind -> Text,
        key -> Text,
        id -> Text,
    }
}

diesel::table! {
    audit (seq) {
        seq -> BigInt,
        at_ms -> BigInt,
        actor -> Text,
        organisation -> Text,
        action -> Text,
        target -> Text,
        source -> Text,
        before -> Text,
        after -> Text,
        previous -> Text,
        hash -> Text,
    }
}

diesel::table! {
    voucher_batches (id) {
        id -> Text,
        issuer -> Text,
        name -> Text,
        key -> Text,
        count -> BigInt,
        credit -> BigInt,
        currency -> Text,
        signed -> Bool,
        created_by -> Text,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    vouchers (id) {
        id -> Text,
        batch -> Nullable<Text>,
        issuer -> Text,
        origin -> Nullable<Text>,
        lookup -> Text,
        sealed -> Text,
        nonce -> Text,
        credit -> BigInt,
        currency -> Text,
        description -> Text,
        active -> Bool,
        max_redemptions -> BigInt,
        times_redeemed -> BigInt,
        products -> Text,
        expires_at_ms -> Nullable<BigInt>,
        created_at_ms -> BigInt,
        deleted_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    ledger_accounts (id) {
        id -> Text,
        organisation -> Text,
        name -> Text,
        kind -> Text,
        currency -> Text,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    ledger_entries (transaction_id, seq) {
        transaction_id -> Text,
        seq -> BigInt,
        account -> Text,
        amount -> BigInt,
        currency -> Text,
    }
}

diesel::table! {
    ledger_transactions (id) {
        id -> Text,
        at_ms -> BigInt,
        kind -> Text,
        reference -> Text,
        description -> Text,
        reverses -> Nullable<Text>,
    }
}

diesel::table! {
    voucher_redemptions (id) {
        id -> Text,
        voucher -> Text,
        key -> Text,
        customer -> Text,
        holder -> Text,
        product -> Nullable<Text>,
        amount -> BigInt,
        currency -> Text,
        transaction_id -> Text,
        redeemed_at_ms -> BigInt,
        reversed_by -> Nullable<Text>,
        reversed_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    voucher_claims (direction, peer, id) {
        direction -> Text,
        peer -> Text,
        id -> Text,
        voucher -> Text,
        organisation -> Text,
        nonce -> Text,
        amount -> BigInt,
        currency -> Text,
        state -> Text,
        reason -> Nullable<Text>,
        transaction_id -> Nullable<Text>,
        created_at_ms -> BigInt,
        settled_at_ms -> Nullable<BigInt>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    bundles, runs, leases, steps, log, waits, signals, approvals, decisions, locks, undo, resources, artifacts, chains
);

diesel::allow_tables_to_appear_in_same_query!(ledger_accounts, ledger_entries, ledger_transactions);
diesel::allow_tables_to_appear_in_same_query!(voucher_redemptions, vouchers);
