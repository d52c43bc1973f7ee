//! The inventory: everything that runs have made, and what became of it.

use diesel::{BoxableExpression, dsl::exists, prelude::*, sql_types::Bool};
use windlass_model::{
    ResourceChange, ResourceRef, ResourceState, RunId, StepPath,
    query::{ResourceFilter, Scope},
    resource::ResourceRecord,
};

use crate::{
    apply::Cx,
    connection::{AnyConnection, Multi},
    dialect::{OnlyIf as _, both},
    error::Applied,
    schema::{resources, runs},
    steps,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = resources)]
struct ResourceRow {
    run_id: String,
    provider: String,
    kind: String,
    id: String,
    origin: String,
    path: String,
    state: String,
    created_at_ms: i64,
    updated_at_ms: i64,
    organisation: String,
}

/// What became of a step's effect on its resources.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It is about to happen.
    Intended,
    /// It happened.
    Happened,
    /// It certainly didn't happen.
    Void,
}

/// Carries a step's resource changes over into the inventory.
pub(crate) fn change(
    cx: &mut Cx,
    run: &RunId,
    path: &StepPath,
    changes: &[ResourceChange],
    effect: Effect,
) -> Applied<()> {
    for change in changes {
        match (change, effect) {
            (ResourceChange::Creates(what), Effect::Intended) => created(cx, run, path, what, ResourceState::Creating)?,
            (ResourceChange::Creates(what), Effect::Happened) => created(cx, run, path, what, ResourceState::Live)?,
            (ResourceChange::Creates(what), Effect::Void) => forget_intent(cx, run, path, what)?,
            (ResourceChange::Destroys(what), effect) => {
                let whose = whose(cx, run, what)?;
                for what in named(cx, what, whose.as_deref())? {
                    match effect {
                        Effect::Intended => set_state(cx, &what, whose.as_deref(), ResourceState::Destroying)?,
                        Effect::Happened => set_state(cx, &what, whose.as_deref(), ResourceState::Gone)?,
                        Effect::Void => set_back(cx, &what, whose.as_deref())?,
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether the step at `path` has begun to make one of these, and nobody knows what came of it.
pub(crate) fn are_begun(cx: &mut Cx, run: &RunId, path: &StepPath, changes: &[ResourceChange]) -> Applied<bool> {
    let path = path.to_string();
    for change in changes {
        let ResourceChange::Creates(what) = change else { continue };
        let row = resources::table.find((run.as_str(), &*what.provider, &*what.kind, &*what.id));
        let begun = row.filter(resources::path.eq(&path)).filter(resources::state.eq(ResourceState::Creating.as_str()));
        if diesel::select(exists(begun)).get_result(cx.conn)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The organisation that a thing has to be of, if its name alone doesn't tell it from others: the run's.
fn whose(cx: &mut Cx, run: &RunId, what: &ResourceRef) -> Applied<Option<String>> {
    if !what.is_named_by_organisation() {
        return Ok(None);
    }
    Ok(Some(runs::table.find(run.as_str()).select(runs::organisation).first(cx.conn)?))
}

/// What a removal means: the thing itself, or all that stand below its prefix now.
fn named(cx: &mut Cx, what: &ResourceRef, whose: Option<&str>) -> Applied<Vec<ResourceRef>> {
    let Some(prefix) = what.prefix() else { return Ok(vec![what.clone()]) };
    let all = inventory(cx, &what.provider, prefix)?.into_iter();
    let ours = all.filter(|record| whose.is_none_or(|organisation| record.organisation == organisation));
    Ok(ours.map(|record| record.resource).collect())
}

/// One row per run and thing: made again after it was gone, it is the new step's. An intent never takes back that it is live.
fn created(cx: &mut Cx, run: &RunId, path: &StepPath, what: &ResourceRef, state: ResourceState) -> Applied<()> {
    let path = path.to_string();
    let organisation: String = runs::table.find(run.as_str()).select(runs::organisation).first(cx.conn)?;
    macro_rules! insert {
        () => {
            diesel::insert_into(resources::table)
                .values((
                    resources::run_id.eq(run.as_str()),
                    resources::provider.eq(&*what.provider),
                    resources::kind.eq(&*what.kind),
                    resources::id.eq(&*what.id),
                    resources::origin.eq(run.as_str()),
                    resources::path.eq(&path),
                    resources::state.eq(state.as_str()),
                    resources::created_at_ms.eq(cx.now_ms),
                    resources::updated_at_ms.eq(cx.now_ms),
                    resources::organisation.eq(&organisation),
                ))
                .on_conflict((resources::run_id, resources::provider, resources::kind, resources::id))
                .do_update()
                .set((
                    resources::origin.eq(run.as_str()),
                    resources::path.eq(&path),
                    resources::state.eq(state.as_str()),
                    resources::updated_at_ms.eq(cx.now_ms),
                ))
        };
    }
    if state == ResourceState::Creating {
        both!(cx.conn, c => insert!().only_if(resources::state.eq(ResourceState::Gone.as_str())).execute(c))?;
    } else {
        both!(cx.conn, c => insert!().execute(c))?;
    }
    Ok(())
}

fn forget_intent(cx: &mut Cx, run: &RunId, path: &StepPath, what: &ResourceRef) -> Applied<()> {
    diesel::delete(resources::table.find((run.as_str(), &*what.provider, &*what.kind, &*what.id)))
        .filter(resources::path.eq(path.to_string()))
        .filter(resources::state.eq(ResourceState::Creating.as_str()))
        .execute(cx.conn)?;
    Ok(())
}

/// A thing that is removed is found by its name, whoever made it.
fn set_state(cx: &mut Cx, what: &ResourceRef, whose: Option<&str>, state: ResourceState) -> Applied<()> {
    diesel::update(resources::table)
        .filter(resources::provider.eq(&*what.provider))
        .filter(resources::kind.eq(&*what.kind))
        .filter(resources::id.eq(&*what.id))
        .filter(resources::organisation.eq(whose.unwrap_or_default()).or(whose.is_none().into_sql::<Bool>()))
        .filter(resources::state.ne(ResourceState::Gone.as_str()))
        .set((resources::state.eq(state.as_str()), resources::updated_at_ms.eq(cx.now_ms)))
        .execute(cx.conn)?;
    Ok(())
}

fn set_back(cx: &mut Cx, what: &ResourceRef, whose: Option<&str>) -> Applied<()> {
    diesel::update(resources::table)
        .filter(resources::provider.eq(&*what.provider))
        .filter(resources::kind.eq(&*what.kind))
        .filter(resources::id.eq(&*what.id))
        .filter(resources::organisation.eq(whose.unwrap_or_default()).or(whose.is_none().into_sql::<Bool>()))
        .filter(resources::state.eq(ResourceState::Destroying.as_str()))
        .set((resources::state.eq(ResourceState::Live.as_str()), resources::updated_at_ms.eq(cx.now_ms)))
        .execute(cx.conn)?;
    Ok(())
}

/// Sets the state of what a step has made and what isn't gone yet. `origin` is the run whose step it was.
pub(crate) fn set_of_step(cx: &mut Cx, run: &RunId, origin: &str, path: &str, state: ResourceState) -> Applied<()> {
    diesel::update(resources::table)
        .filter(resources::run_id.eq(run.as_str()))
        .filter(resources::origin.eq(origin))
        .filter(resources::path.eq(path))
        .filter(resources::state.ne(ResourceState::Gone.as_str()))
        .set((resources::state.eq(state.as_str()), resources::updated_at_ms.eq(cx.now_ms)))
        .execute(cx.conn)?;
    Ok(())
}

/// What a step in doubt was to make is there after all.
pub(crate) fn set_intended_live(cx: &mut Cx, run: &RunId, path: &str) -> Applied<()> {
    diesel::update(resources::table)
        .filter(resources::run_id.eq(run.as_str()))
        .filter(resources::path.eq(path))
        .filter(resources::state.eq(ResourceState::Creating.as_str()))
        .set((resources::state.eq(ResourceState::Live.as_str()), resources::updated_at_ms.eq(cx.now_ms)))
        .execute(cx.conn)?;
    Ok(())
}

/// Gives a run's inventory to the run that continues it.
pub(crate) fn hand_over(cx: &mut Cx, from: &RunId, to: &RunId) -> Applied<()> {
    diesel::update(resources::table.filter(resources::run_id.eq(from.as_str())))
        .set(resources::run_id.eq(to.as_str()))
        .execute(cx.conn)?;
    Ok(())
}

/// Forgets what is gone anyway.
pub(crate) fn forget_gone(cx: &mut Cx, run: &str) -> Applied<()> {
    diesel::delete(resources::table.filter(resources::run_id.eq(run)))
        .filter(resources::state.eq(ResourceState::Gone.as_str()))
        .execute(cx.conn)?;
    Ok(())
}

/// Resources of a run, or of all. `open_only` leaves out what is gone, or adopted by somebody else.
pub(crate) fn list(conn: &mut AnyConnection, run: Option<&RunId>, open_only: bool) -> QueryResult<Vec<ResourceRecord>> {
    let mut query = resources::table
        .select(ResourceRow::as_select())
        .order((resources::created_at_ms, resources::run_id, resources::provider, resources::kind, resources::id))
        .into_boxed();
    if let Some(run) = run {
        query = query.filter(resources::run_id.eq(run.as_str()));
    }
    if open_only {
        query = query
            .filter(resources::state.ne(ResourceState::Gone.as_str()))
            .filter(resources::state.ne(ResourceState::Adopted.as_str()));
    }
    let rows: Vec<ResourceRow> = query.load(conn)?;
    Ok(rows.into_iter().map(record).collect())
}

/// Resources that a filter finds, in the order in which they were made.
pub(crate) fn find(conn: &mut AnyConnection, filter: &ResourceFilter) -> QueryResult<Vec<ResourceRecord>> {
    let mut query = resources::table
        .select(ResourceRow::as_select())
        .order((resources::created_at_ms, resources::run_id, resources::provider, resources::kind, resources::id))
        .into_boxed();
    if let Some(run) = &filter.run {
        query = query.filter(resources::run_id.eq(run.as_str()));
    }
    if filter.open_only {
        query = query
            .filter(resources::state.ne(ResourceState::Gone.as_str()))
            .filter(resources::state.ne(ResourceState::Adopted.as_str()));
    }
    if !filter.states.is_empty() {
        let words: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
        query = query.filter(resources::state.eq_any(words));
    }
    if let Some(organisation) = &filter.organisation {
        query = query.filter(resources::organisation.eq(organisation));
    }
    if let Some(provider) = &filter.provider {
        query = query.filter(resources::provider.eq(provider));
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(resources::kind.eq(kind));
    }
    if let Some(prefix) = &filter.id_prefix {
        query = query.filter(resources::id.ge(prefix)).filter(resources::id.lt(format!("{prefix}\u{10ffff}")));
    }
    if let Some((made_ms, run, what)) = &filter.after {
        let (provider, kind, id) = (what.provider.to_string(), what.kind.to_string(), what.id.to_string());
        let next_id = resources::kind.eq(kind.clone()).and(resources::id.gt(id));
        let next_kind = resources::provider.eq(provider.clone()).and(resources::kind.gt(kind).or(next_id));
        let next_provider = resources::run_id.eq(run.to_string()).and(resources::provider.gt(provider).or(next_kind));
        let next_run = resources::run_id.gt(run.to_string()).or(next_provider);
        query = query
            .filter(resources::created_at_ms.ge(*made_ms))
            .filter(resources::created_at_ms.gt(*made_ms).or(next_run));
    }
    if let Some(scopes) = &filter.scopes {
        query = query.filter(within(scopes));
    }
    let limit = if filter.limit == 0 { 50 } else { filter.limit };
    let rows: Vec<ResourceRow> = query.limit(i64::from(limit)).load(conn)?;
    Ok(rows.into_iter().map(record).collect())
}

type Condition = Box<dyn BoxableExpression<resources::table, Multi, SqlType = Bool>>;

/// Whether one of the scopes covers a resource. A folder is that of its run's workflow, as long as there is the run.
fn within(scopes: &[Scope]) -> Condition {
    let nothing: Condition = Box::new(false.into_sql::<Bool>());
    scopes.iter().fold(nothing, |others, scope| {
        let organisation: Condition = match scope.organisation.as_str() {
            "*" => Box::new(true.into_sql::<Bool>()),
            name => Box::new(resources::organisation.eq(name.to_owned())),
        };
        let folder: Condition = match scope.folder.as_str() {
            "*" => Box::new(true.into_sql::<Bool>()),
            folder => {
                let below = runs::workflow.ge(format!("{folder}/")).and(runs::workflow.lt(format!("{folder}0")));
                let inside = runs::workflow.eq(folder.to_owned()).or(below);
                Box::new(exists(runs::table.filter(runs::id.eq(resources::run_id)).filter(inside)))
            }
        };
        Box::new(others.or(organisation.and(folder)))
    })
}

/// What is `creating`, `live` or `destroying` at a provider, with an id prefix.
pub(crate) fn inventory(cx: &mut Cx, provider: &str, prefix: &str) -> Applied<Vec<ResourceRecord>> {
    let rows: Vec<ResourceRow> = resources::table
        .filter(resources::provider.eq(provider))
        .filter(resources::id.ge(prefix))
        .filter(resources::state.ne(ResourceState::Gone.as_str()))
        .filter(resources::state.ne(ResourceState::Adopted.as_str()))
        .order((resources::id, resources::kind, resources::run_id))
        .select(ResourceRow::as_select())
        .load(cx.conn)?;
    // Ids sort by byte, so those with the prefix come first.
    Ok(rows.into_iter().take_while(|row| row.id.starts_with(prefix)).map(record).collect())
}

fn record(row: ResourceRow) -> ResourceRecord {
    ResourceRecord {
        resource: ResourceRef { provider: row.provider.into(), kind: row.kind.into(), id: row.id.into() },
        run: row.run_id.into(),
        origin: row.origin.into(),
        organisation: row.organisation,
        path: steps::path(&row.path),
        // The table's CHECK admits no other words than those of the model.
        state: ResourceState::parse(&row.state).unwrap_or(ResourceState::Creating),
        created_at_ms: row.created_at_ms,
        updated_at_ms: row.updated_at_ms,
    }
}
