//! All routes, resource by resource.

use crate::{
    Routes, approvals, artifacts, audit, bundles, claims, consoles, doctor, drafts, events, health, invitations,
    lab_drawings, labs, ledger, logs, metrics, nodes, notifications, oidc, openapi, organisations, plans, plugins,
    pool, resources, roles, runs, secrets, session, settings, tokens, triggers, users, vouchers, workflows,
};

/// The table.
pub fn routes() -> Routes {
    let all = [
        health::routes(),
        metrics::routes(),
        doctor::routes(),
        settings::routes(),
        openapi::routes(),
        runs::routes(),
        events::routes(),
        logs::routes(),
        artifacts::routes(),
        approvals::routes(),
        resources::routes(),
        bundles::routes(),
        claims::routes(),
        secrets::routes(),
        session::routes(),
        oidc::routes(),
        users::routes(),
        roles::routes(),
        tokens::routes(),
        organisations::routes(),
        invitations::routes(),
        audit::routes(),
        nodes::routes(),
        workflows::routes(),
        drafts::routes(),
        plans::routes(),
        plugins::routes(),
        pool::routes(),
        labs::routes(),
        lab_drawings::routes(),
        vouchers::routes(),
        ledger::routes(),
        consoles::routes(),
        triggers::routes(),
        notifications::routes(),
    ];
    Routes::new(all.into_iter().flatten().collect())
}
