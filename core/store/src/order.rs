//! The order in which nodes take turns. A transaction holds what it has locked until it ends, so two transactions that
//! lock the same things in opposite orders would wait for each other until the database gives one of them up, and that
//! takes a second. So what several commands will lock is locked beforehand, in one order: names first, then leases.
//!
//! It is a help, not what correctness depends on: every command locks again what it decides upon.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use windlass_model::{
    LockName, RunId, WaitReason, WaitSpec,
    command::{Command, Lease},
    journal::LocalEffect,
};

use crate::{
    batch,
    connection::AnyConnection,
    hot_postgres as hot,
    recent::Recent,
    schema::{leases, locks, runs, waits},
    timers,
};

/// What a transaction's commands will lock, as far as it can be told without applying them.
#[derive(Default)]
struct Ahead<'c> {
    names: BTreeSet<String>,
    /// Locks that runs take or give back: how they are kept, their organisations tell.
    locks: Vec<(&'c str, &'c LockName)>,
    runs: BTreeSet<&'c str>,
    /// Runs whose waits are looked at.
    waiting: BTreeSet<&'c str>,
    /// Runs that end, and give back what they hold.
    ending: BTreeSet<&'c str>,
}

/// Locks what these commands of one transaction will lock. In SQLite there is only one writer.
pub(crate) fn lock_ahead(conn: &mut AnyConnection, recent: &Recent, commands: &[&Command]) -> QueryResult<()> {
    let AnyConnection::Postgres(c) = conn else { return Ok(()) };
    if is_ordered(commands) {
        return Ok(());
    }
    let mut ahead = Ahead::default();
    commands.iter().for_each(|command| ahead.look(recent, command));
    if !ahead.ending.is_empty() {
        let held = locks::table.filter(locks::run_id.eq_any(&ahead.ending)).select(locks::name);
        ahead.names.extend(held.load::<String>(c)?);
    }
    if !ahead.locks.is_empty() {
        let those = runs::table.filter(runs::id.eq_any(ahead.locks.iter().map(|(run, _)| *run)));
        let organisations: HashMap<String, String> =
            those.select((runs::id, runs::organisation)).load(c)?.into_iter().collect();
        let kept = |(run, lock): &(&str, &LockName)| Some(lock.kept(organisations.get(*run)?));
        ahead.names.extend(ahead.locks.iter().filter_map(kept));
    }
    let waiting: Vec<&str> = ahead.waiting.union(&ahead.ending).copied().collect();
    if !waiting.is_empty() {
        let named: Vec<(String, Option<String>)> = waits::table
            .filter(waits::run_id.eq_any(waiting))
            .filter(waits::reason.eq_any([WaitReason::Child.as_str(), WaitReason::Lock.as_str()]))
            .select((waits::reason, waits::name))
            .load(c)?;
        let name = |(reason, name): (String, Option<String>)| match reason == WaitReason::Child.as_str() {
            true => name.map(|child| timers::end_of(&child)),
            false => name,
        };
        ahead.names.extend(named.into_iter().filter_map(name));
    }
    if !ahead.names.is_empty() {
        let names: Vec<String> = ahead.names.into_iter().collect();
        hot::Exclude { names: &names }.execute(c)?;
    }
    if ahead.runs.len() > 1 {
        let those = leases::table.filter(leases::run_id.eq_any(&ahead.runs)).order(leases::run_id);
        those.select(leases::run_id).for_update().load::<String>(c)?;
    }
    Ok(())
}

/// Whether these commands lock in order by themselves: one that needs a lease and no name, or those that a batch orders.
fn is_ordered(commands: &[&Command]) -> bool {
    match commands {
        [command] => needs_no_name(command),
        _ => commands.iter().all(|command| batch::goes_along(command) && !matches!(command, Command::Suspend { .. })),
    }
}

fn needs_no_name(command: &Command) -> bool {
    match command {
        Command::Audited { command, .. } => needs_no_name(command),
        Command::Begin { .. } | Command::Finish { .. } | Command::Emit { .. } | Command::Signal { .. } => true,
        Command::Local { effect, .. } => !matches!(effect, LocalEffect::Unlock { .. }),
        Command::Wait { wait, .. } => !matches!(wait, WaitSpec::Child { .. } | WaitSpec::Lock { .. }),
        Command::FinishScope { .. }
        | Command::Suspend { .. }
        | Command::Succeed { .. }
        | Command::Fail { .. }
        | Command::ContinueAsNew { .. }
        | Command::BeginRollback { .. }
        | Command::FinishRollback { .. }
        | Command::StickRollback { .. }
        | Command::Cancel { .. }
        | Command::Stick { .. }
        | Command::Beat { .. } => false,
        // They concern nothing that others lock at the same time, or are one command's own affair.
        _ => true,
    }
}

impl<'c> Ahead<'c> {
    fn look(&mut self, recent: &Recent, command: &'c Command) {
        match command {
            Command::Audited { command, .. } => self.look(recent, command),
            Command::Wait { lease, wait, .. } => {
                self.runs.insert(lease.run.as_str());
                match wait {
                    WaitSpec::Child { run } => _ = self.names.insert(timers::end_of(run.as_str())),
                    WaitSpec::Lock { lock, .. } => self.locks.push((lease.run.as_str(), lock)),
                    WaitSpec::Timer { .. } | WaitSpec::Signal { .. } | WaitSpec::Approval(_) => {}
                }
            }
            Command::FinishScope { lease, given_back, .. } => {
                // Waits below it are dropped, and whoever is behind them in a lock's queue is woken.
                self.of_another(&lease.run);
                self.locks.extend(given_back.iter().map(|(lock, _)| (lease.run.as_str(), lock)));
            }
            Command::Local { lease, effect, .. } => {
                self.runs.insert(lease.run.as_str());
                if let LocalEffect::Unlock { lock } = effect {
                    self.locks.push((lease.run.as_str(), lock));
                }
            }
            Command::Suspend { lease } | Command::BeginRollback { lease } | Command::Fail { lease, undo: true, .. } => {
                self.runs.insert(lease.run.as_str());
                self.waiting.insert(lease.run.as_str());
            }
            Command::Succeed { lease, .. }
            | Command::Fail { lease, undo: false, .. }
            | Command::ContinueAsNew { lease, .. }
            | Command::FinishRollback { lease }
            | Command::StickRollback { lease, .. } => self.ends(recent, lease),
            Command::Begin { lease, .. }
            | Command::Finish { lease, .. }
            | Command::Emit { lease, .. }
            | Command::ForgetSteps { lease, .. } => {
                self.runs.insert(lease.run.as_str());
            }
            Command::Beat { beat, .. } => self.runs.extend(beat.runs.iter().map(|lease| lease.run.as_str())),
            Command::Signal { run, .. } | Command::Cancel { run, .. } | Command::Stick { run, .. } => {
                self.of_another(run);
            }
            _ => {}
        }
    }

    fn ends(&mut self, recent: &Recent, lease: &'c Lease) {
        self.runs.insert(lease.run.as_str());
        self.names.insert(timers::end_of(lease.run.as_str()));
        if !recent.is_quiet(&lease.run) {
            self.ending.insert(lease.run.as_str());
        }
    }

    fn of_another(&mut self, run: &'c RunId) {
        self.runs.insert(run.as_str());
        self.waiting.insert(run.as_str());
    }
}
