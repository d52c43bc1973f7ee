//! Applying commands: one file per group. Each decides first and writes then, inside the writer's transaction.

mod claim;
mod end;
mod launch;
mod local;
mod operator;
mod people;
mod rollback;
mod settle;
mod step;
mod suspend;
pub(crate) mod upkeep;
mod wait;

pub(crate) use launch::claimed;
use windlass_model::{
    RunId,
    audit::NewAudit,
    command::{Command, Reply},
    journal::LocalEffect,
    voucher::{VoucherCommand, VoucherReply},
    workflow::OnConflict,
};

use crate::{
    batch::Batch, bundles, connection::AnyConnection, documents, error::Applied, leases, nodes, options::Committed,
    recent::Recent, secrets, vouchers,
};

/// What a command is applied with.
pub(crate) struct Cx<'a> {
    pub conn: &'a mut AnyConnection,
    /// The time of the transaction.
    pub now_ms: i64,
    /// What the writer remembers of runs.
    pub recent: &'a mut Recent,
    /// What the transaction writes at its end.
    pub batch: &'a mut Batch,
    /// What the listener will hear.
    pub told: Committed,
    /// Entries of the audit log, which are appended when the transaction's other commands are through.
    pub entries: Vec<NewAudit>,
}

impl Cx<'_> {
    /// Writes what was kept for the transaction's end: what is asked next depends on it.
    pub(crate) fn settle(&mut self) -> Applied<()> {
        Ok(self.batch.settle(self.conn, self.now_ms)?)
    }
}

/// Whether a refusal of this command can only come before its first write. Others get a savepoint.
pub(crate) fn refuses_before_it_writes(command: &Command) -> bool {
    match command {
        Command::Audited { command, .. } => return refuses_before_it_writes(command),
        // Others are cancelled before it is known whether there is room.
        Command::Launch { run, .. } => return !matches!(run.concurrency, Some((.., OnConflict::CancelPrevious))),
        // Its number is given back before it is refused.
        Command::Local { effect, .. } => {
            return matches!(
                effect,
                LocalEffect::Now | LocalEffect::Random | LocalEffect::Uuid | LocalEffect::KvGet { .. }
            );
        }
        _ => {}
    }
    matches!(
        command,
        Command::PutBundle { .. }
            | Command::Begin { .. }
            | Command::Finish { .. }
            | Command::Emit { .. }
            | Command::Suspend { .. }
            | Command::Succeed { .. }
            | Command::Beat { .. }
            | Command::Leave { .. }
            | Command::Drain { .. }
            | Command::ExpireLeases { .. }
            | Command::Release(_)
            | Command::PutSecret { .. }
            | Command::DeleteSecret { .. }
            | Command::Audit(_)
    )
}

/// Applies one command.
pub(crate) fn apply(cx: &mut Cx, command: &Command) -> Applied<Reply> {
    let done = |()| Reply::Done;
    match command {
        Command::PutBundle { digest, body } => bundles::put(cx, digest, body).map(done),
        Command::Launch { run, claim } => launch::launch(cx, run, claim.as_ref(), None),
        Command::Claim { node, limit, expires_at_ms, max_recoveries } => {
            let by = claim::By { node, expires_at_ms: *expires_at_ms, max_recoveries: i64::from(*max_recoveries) };
            claim::claim(cx, &by, *limit)
        }
        Command::ClaimRun { run, node, expires_at_ms } => {
            claim::claim_run(cx, run, &claim::By { node, expires_at_ms: *expires_at_ms, max_recoveries: i64::MAX })
        }
        Command::Beat { beat, expires_at_ms } => nodes::beat(cx, beat, *expires_at_ms),
        Command::Leave { node } => nodes::leave(cx, node).map(done),
        Command::Drain { node, draining } => nodes::drain(cx, node, *draining).map(done),
        Command::ExpireLeases { node } => leases::expire(cx, node.as_ref()).map(Reply::Count),
        Command::Release(lease) => claim::release(cx, lease).map(done),
        Command::Begin { lease, call } => step::begin(cx, lease, call),
        Command::Finish { lease, call, outcome, attempts, started_at_ms } => {
            let finished = crate::steps::Finished { outcome, attempts: *attempts, started_at_ms: *started_at_ms };
            step::finish(cx, lease, call, &finished)
        }
        Command::FinishScope { lease, call, outcome, started_at_ms, given_back } => {
            step::give_back(cx, lease, &call.path, given_back)?;
            let finished = crate::steps::Finished { outcome, attempts: 1, started_at_ms: *started_at_ms };
            step::finish(cx, lease, call, &finished)
        }
        Command::ForgetSteps { lease, paths } => step::forget(cx, lease, paths).map(Reply::Count),
        Command::Local { lease, call, effect, given } => local::local(cx, lease, call, effect, given),
        Command::Wait { lease, call, wait } => wait::wait(cx, lease, call, wait),
        Command::Emit { lease, events } => step::emit(cx, lease, events).map(done),
        Command::InDoubt { lease, path } => step::in_doubt(cx, lease, path).map(done),
        Command::Suspend { lease } => suspend::suspend(cx, lease).map(done),
        Command::Succeed { lease, output } => end::succeed(cx, lease, output).map(done),
        Command::Fail { lease, problem, undo } => end::fail(cx, lease, problem, *undo).map(done),
        Command::ContinueAsNew { lease, run } => end::continue_as_new(cx, lease, run),
        Command::BeginRollback { lease } => rollback::begin(cx, lease).map(done),
        Command::UndoBegin { lease, seq } => rollback::undo_begin(cx, lease, *seq).map(done),
        Command::UndoFinish { lease, seq, problem } => {
            rollback::undo_finish(cx, lease, *seq, problem.as_ref()).map(done)
        }
        Command::FinishRollback { lease } => rollback::finish(cx, lease).map(done),
        Command::StickRollback { lease, problem } => rollback::stick(cx, lease, problem).map(done),
        Command::Cancel { run, by, reason } => people::cancel(cx, run, by, reason.as_deref()).map(done),
        Command::Signal { run, name, payload, by, id } => {
            people::signal(cx, &people::Delivery { run, name, payload, by, id: id.as_deref() }).map(done)
        }
        Command::Decide { run, path, decision } => people::decide(cx, run, path, decision).map(done),
        Command::Resolve { run, path, resolution, by } => operator::resolve(cx, run, path, resolution, by).map(done),
        Command::Stick { run, by, reason } => rollback::stop(cx, run, by, reason.as_deref()).map(done),
        Command::Unstick { run, action, by } => operator::unstick(cx, run, *action, by).map(done),
        Command::Unpark { run, .. } => operator::unpark(cx, run).map(done),
        Command::Restart { run, bundle, drop, retake, from, judged, by } => {
            let (from, judged) = (from.as_ref(), *judged);
            operator::restart(cx, &operator::Anew { run, bundle, drop, retake, from, judged, by }).map(done)
        }
        Command::Upgrade { run, bundle, judged, by } => operator::upgrade(cx, run, bundle, *judged, by).map(done),
        Command::PutSecret { name, sealed, policy } => secrets::put(cx, name, sealed, policy).map(done),
        Command::DeleteSecret { name } => secrets::delete(cx, name).map(Reply::Count),
        Command::Change(changes) => documents::change(cx, changes).map(Reply::Versions),
        Command::Together(commands) => {
            let mut replies = commands.iter().map(|command| apply(cx, command));
            let first = replies.next().transpose()?.unwrap_or(Reply::Done);
            replies.try_for_each(|reply| reply.map(drop))?;
            Ok(first)
        }
        Command::With { command, changes } => {
            let reply = apply(cx, command)?;
            // What goes with it has been done with it before.
            if is_repeated(command, &reply) {
                return Ok(reply);
            }
            let mut changes = changes.clone();
            // Who launches doesn't know beforehand which run it will be.
            if let Reply::Launched { run, .. } = &reply {
                changes.iter_mut().for_each(|change| documents::name_run(change, run));
            }
            documents::change(cx, &changes)?;
            Ok(reply)
        }
        Command::Audited { command, entry } => {
            let reply = apply(cx, command)?;
            if changes_nothing(command, &reply) {
                return Ok(reply);
            }
            let mut entry = NewAudit::clone(entry);
            // Who launches doesn't know beforehand which run it will be.
            if let Reply::Launched { run, .. } = &reply
                && entry.target.is_empty()
            {
                entry.target = run.to_string();
            }
            cx.entries.push(entry);
            Ok(reply)
        }
        Command::Voucher(command) => vouchers::apply(cx, command).map(|reply| Reply::Voucher(Box::new(reply))),
        Command::Audit(entry) => {
            cx.entries.push(NewAudit::clone(entry));
            Ok(Reply::Done)
        }
        Command::Announced { command, kind, data } => {
            let reply = apply(cx, command)?;
            crate::log::announce(cx, *kind, data)?;
            Ok(reply)
        }
        Command::Announce { kind, data } => crate::log::announce(cx, *kind, data).map(done),
        Command::Prune { default_retention_ms, limit } => upkeep::prune(cx, *default_retention_ms, *limit),
        Command::PruneArtifacts { ended_before_ms, most_bytes, limit } => {
            crate::retention::prune_artifacts(cx, *ended_before_ms, *most_bytes, *limit).map(Reply::Count)
        }
        Command::PruneDocuments { limit } => crate::documents::expire(cx, *limit).map(Reply::Count),
    }
}

/// What has removed nothing is no change, nor is what was done with the same key before.
fn changes_nothing(command: &Command, reply: &Reply) -> bool {
    matches!(reply, Reply::Count(0) | Reply::Partly) || is_repeated(command, reply)
}

/// Whether a batch was issued with the same key before.
fn is_repeated(command: &Command, reply: &Reply) -> bool {
    match (command, reply) {
        (Command::With { command, .. } | Command::Audited { command, .. } | Command::Announced { command, .. }, _) => {
            is_repeated(command, reply)
        }
        (Command::Voucher(command), Reply::Voucher(reply)) => match (&**command, &**reply) {
            (VoucherCommand::Issue(asked), VoucherReply::Batch(batch)) => asked.batch.id != batch.id,
            _ => false,
        },
        _ => false,
    }
}

/// A run's state and how it is written.
fn set_due(cx: &mut Cx, run: &RunId, due_at_ms: i64) -> Applied<()> {
    use crate::schema::runs;
    use diesel::prelude::*;
    diesel::update(runs::table.find(run.as_str())).set(runs::due_at_ms.eq(due_at_ms)).execute(cx.conn)?;
    let now_ms = cx.now_ms;
    cx.told.due(due_at_ms, now_ms);
    Ok(())
}
