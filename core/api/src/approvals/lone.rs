//! Whose run it is, and whether anybody else could decide on what it asks.

use windlass_engine::Engine;
use windlass_model::{Problem, RunId, document::DocumentFilter, query::RunRecord, wait::ApprovalRequest};

use crate::{
    Permission, Principal, Role,
    auth::{kept::User, stands_for},
};

/// Generations of runs that are looked up to find who launched the first.
const GENERATIONS: usize = 256;

/// Who launched the run, and the runs that it is a child of: a child of one's own run is one's own. A run that goes on with
/// another one has been launched by whoever launched that. `None`: not all of them are known any more.
pub(crate) fn launchers(engine: &Engine, run: &RunRecord) -> Result<Option<Vec<String>>, Problem> {
    let mut found = vec![run.launched_by.clone()];
    let above = |run: &RunRecord| run.launched_by.strip_prefix("run:").map(RunId::from);
    let mut next = above(run);
    for _ in 0..GENERATIONS {
        let Some(id) = next.take() else { return Ok(Some(found)) };
        let Some(record) = engine.run(&id)? else { return Ok(None) };
        next = above(&record);
        found.push(record.launched_by);
    }
    Ok(None)
}

/// Whether nobody else may decide: nobody who can log in, is of the run's organisation or of a launcher's, and may approve there in
/// the role that is asked for. Admins of the platform aren't counted for a customer that has one person: it is none of theirs.
pub(crate) fn is_alone(engine: &Engine, run: &RunRecord, asked: &ApprovalRequest) -> Result<bool, Problem> {
    let Some(launchers) = launchers(engine, run)? else { return Ok(false) };
    let mut organisations = vec![run.organisation.clone()];
    for name in &launchers {
        organisations.extend(User::find(engine, name)?.map(|user| user.organisation));
    }
    organisations.sort();
    organisations.dedup();
    let of_them = DocumentFilter { organisations: Some(organisations), ..DocumentFilter::default() };
    let others = User::all(engine, &of_them, |user| {
        let can_log_in = user.body.password.is_some() || user.body.external.is_some();
        can_log_in && !user.body.disabled && !launchers.contains(&user.id)
    })?;
    for other in &others {
        let principal = stands_for(engine, other)?;
        let may = principal.may(Permission::Approve, &run.organisation, &run.workflow);
        if may && asked.role.as_deref().is_none_or(|role| holds(&principal, role, run)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether they hold the role for the run, or one above it. A role that Windlass doesn't know is an admin's to decide for.
pub(crate) fn holds(principal: &Principal, role: &str, run: &RunRecord) -> bool {
    let rank = |role: Role| Role::ALL.iter().position(|known| *known == role);
    let asked = serde_json::from_value::<Role>(role.into()).unwrap_or(Role::Admin);
    let here = principal.bindings.iter().filter(|(_, scope)| scope.covers(&run.organisation, &run.workflow));
    here.map(|(held, _)| *held).any(|held| rank(held) >= rank(asked))
}
