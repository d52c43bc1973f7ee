//! Which due runs are claimed when there are more than free workers. Organisations take turns: next is the one with the
//! fewest runs under way, on all nodes together. Within it the highest priority, and there the workflow with the fewest
//! runs under way, and of that the run that has been due longest. A run rises by one priority with every five minutes, so
//! none waits for ever.

use std::collections::{BTreeMap, HashMap, VecDeque};

use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Text},
};

use crate::{apply::Cx, connection::AnyConnection, dialect};

/// Organisations' workflows' priorities that are looked at in one claim, at most; the next claim goes on behind them.
const GROUPS: usize = 100;
/// So long a run waits until it counts as one of the next priority.
const RISES_AFTER_MS: i64 = 300_000;

/// Up to `limit` runs that are due and that nobody holds.
pub(crate) fn due_runs(cx: &mut Cx, limit: usize) -> QueryResult<Vec<String>> {
    let now_ms = cx.now_ms;
    let mut oldest = dialect::due_runs(cx.conn, now_ms, limit as i64 + 1)?;
    if oldest.len() <= limit {
        return Ok(oldest);
    }
    let groups = next_groups(cx)?;
    if groups.len() > 1 {
        // Whoever has waited longest is among them, wherever its group stands.
        let mut found = of_runs(cx.conn, &oldest)?;
        // As many of each as it may come to, and some more; what is missing then is looked for by another round.
        found.extend(candidates(cx.conn, &groups, now_ms, (limit * 4).div_ceil(groups.len()) as i64)?);
        let chosen = choose(found, under_way(cx.conn)?, now_ms, limit);
        return dialect::still_due(cx.conn, chosen, now_ms);
    }
    oldest.truncate(limit);
    Ok(oldest)
}

/// The next groups in the circle of all: where there are very many, one claim looks at some of them.
fn next_groups(cx: &mut Cx) -> QueryResult<Vec<String>> {
    let behind = cx.recent.turn().to_owned();
    let mut found = groups(cx.conn, &behind, None, GROUPS)?;
    if found.len() < GROUPS && !behind.is_empty() {
        found.extend(groups(cx.conn, "", Some(&behind), GROUPS - found.len())?);
    }
    // While one look takes in all of them, it always begins at the same place.
    cx.recent.set_turn(if found.len() < GROUPS { "" } else { found.last().map_or("", String::as_str) });
    Ok(found)
}

/// Whose runs they are, and how urgent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    organisation: String,
    workflow: String,
    priority: i64,
}

impl Group {
    /// `organisation/area/workflow/priority`; an organisation's name has no slash.
    fn parse(name: &str) -> Option<Self> {
        let (organisation, rest) = name.split_once('/')?;
        let (workflow, priority) = rest.rsplit_once('/')?;
        Some(Self { organisation: organisation.into(), workflow: workflow.into(), priority: priority.parse().ok()? })
    }
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Candidate {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    due_at_ms: i64,
}

/// The index's own expression.
const GROUP: &str = "organisation || '/' || workflow || '/' || CAST(priority AS TEXT)";
const GROUP_POSTGRES: &str = "organisation || '/' || workflow || '/' || CAST(priority AS TEXT) COLLATE \"C\"";

/// Groups behind one and up to another that have runs with a time, each found by one look into the index.
fn groups(conn: &mut AnyConnection, behind: &str, up_to: Option<&str>, limit: usize) -> QueryResult<Vec<String>> {
    let text = |group: &str, behind: &str| {
        format!(
            "WITH RECURSIVE g (name) AS ( \
               SELECT (SELECT {group} FROM runs WHERE due_at_ms IS NOT NULL AND {group} > {behind} ORDER BY {group} LIMIT 1) \
               UNION ALL \
               SELECT (SELECT {group} FROM runs WHERE due_at_ms IS NOT NULL AND {group} > g.name ORDER BY {group} LIMIT 1) \
               FROM g WHERE g.name IS NOT NULL \
             ) SELECT name FROM g WHERE name IS NOT NULL LIMIT {limit}"
        )
    };
    let names: Vec<Name> = match conn {
        AnyConnection::Sqlite(c) => diesel::sql_query(text(GROUP, "?")).bind::<Text, _>(behind).load(c)?,
        AnyConnection::Postgres(c) => {
            diesel::sql_query(text(&format!("({GROUP_POSTGRES})"), "$1")).bind::<Text, _>(behind).load(c)?
        }
    };
    let names = names.into_iter().map(|found| found.name);
    Ok(names.take_while(|name| up_to.is_none_or(|last| name.as_str() <= last)).collect())
}

/// These runs, as candidates.
fn of_runs(conn: &mut AnyConnection, ids: &[String]) -> QueryResult<Vec<Candidate>> {
    use crate::schema::runs;
    let rows: Vec<(String, String, i64, String, Option<i64>)> = runs::table
        .filter(runs::id.eq_any(ids))
        .select((runs::organisation, runs::workflow, runs::priority, runs::id, runs::due_at_ms))
        .load(conn)?;
    let candidate = |(organisation, workflow, priority, id, due_at_ms): (_, _, _, _, Option<i64>)| {
        let (organisation, workflow): (String, String) = (organisation, workflow);
        let priority: i64 = priority;
        Some(Candidate { name: format!("{organisation}/{workflow}/{priority}"), id, due_at_ms: due_at_ms? })
    };
    Ok(rows.into_iter().filter_map(candidate).collect())
}

/// The first due runs of each group.
fn candidates(conn: &mut AnyConnection, groups: &[String], now_ms: i64, each: i64) -> QueryResult<Vec<Candidate>> {
    match conn {
        AnyConnection::Sqlite(c) => {
            let text = format!(
                "SELECT {GROUP} AS name, id, due_at_ms FROM runs \
                 WHERE due_at_ms <= ? AND {GROUP} = ? ORDER BY due_at_ms, id LIMIT ?"
            );
            let mut found = Vec::new();
            for group in groups {
                let some = diesel::sql_query(&text).bind::<BigInt, _>(now_ms).bind::<Text, _>(group);
                found.extend(some.bind::<BigInt, _>(each).load::<Candidate>(c)?);
            }
            Ok(found)
        }
        AnyConnection::Postgres(c) => diesel::sql_query(format!(
            "SELECT g.name, d.id, d.due_at_ms FROM unnest($1) AS g (name), LATERAL ( \
               SELECT id, due_at_ms FROM runs WHERE due_at_ms <= $2 AND ({GROUP_POSTGRES}) = g.name \
               ORDER BY due_at_ms, id LIMIT $3 \
             ) AS d"
        ))
        .bind::<Array<Text>, _>(groups)
        .bind::<BigInt, _>(now_ms)
        .bind::<BigInt, _>(each)
        .load(c),
    }
}

/// How many runs are under way: of an organisation, and of each of its workflows.
type UnderWay = HashMap<String, HashMap<String, i64>>;

/// Runs that are looked up by one statement.
const AT_ONCE: usize = 500;

fn under_way(conn: &mut AnyConnection) -> QueryResult<UnderWay> {
    use crate::schema::{leases, runs};
    // In two steps: grouping a join, SQLite would rather walk all runs that are stored, in the order of the groups.
    let held: Vec<String> = leases::table
        .filter(leases::expires_at_ms.is_not_null())
        .order(leases::expires_at_ms)
        .select(leases::run_id)
        .load(conn)?;
    let mut counts = UnderWay::new();
    for ids in held.chunks(AT_ONCE) {
        let some = runs::table.filter(runs::id.eq_any(ids)).select((runs::organisation, runs::workflow));
        for (organisation, workflow) in some.load::<(String, String)>(conn)? {
            *counts.entry(organisation).or_default().entry(workflow).or_default() += 1;
        }
    }
    Ok(counts)
}

/// Takes turns.
fn choose(candidates: Vec<Candidate>, mut under_way: UnderWay, now_ms: i64, limit: usize) -> Vec<String> {
    let mut waiting: BTreeMap<Group, VecDeque<(i64, String)>> = BTreeMap::new();
    for Candidate { name, id, due_at_ms } in candidates {
        if let Some(group) = Group::parse(&name) {
            waiting.entry(group).or_default().push_back((due_at_ms, id));
        }
    }
    for runs in waiting.values_mut() {
        runs.make_contiguous().sort();
        // The oldest stand there twice.
        let mut seen = None;
        runs.retain(|run| seen.replace(run.clone()).is_none_or(|last| last != *run));
    }
    let mut chosen = Vec::new();
    while chosen.len() < limit {
        let next =
            waiting.iter().filter_map(|(group, runs)| Some((group, runs.front()?))).min_by_key(|(group, first)| {
                let of = under_way.get(&group.organisation);
                let organisation: i64 = of.map_or(0, |workflows| workflows.values().sum());
                let workflow = of.and_then(|workflows| workflows.get(&group.workflow)).copied().unwrap_or(0);
                let priority = group.priority + (now_ms - first.0) / RISES_AFTER_MS;
                // The smaller organisation, then what is more urgent, then the smaller workflow, then who came first.
                (organisation, -priority, workflow, first.0, &first.1)
            });
        let Some(group) = next.map(|(group, _)| group.clone()) else { break };
        let Some((_, id)) = waiting.get_mut(&group).and_then(VecDeque::pop_front) else { break };
        *under_way.entry(group.organisation).or_default().entry(group.workflow).or_default() += 1;
        chosen.push(id);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, id: &str, due_at_ms: i64) -> Candidate {
        Candidate { name: name.into(), id: id.into(), due_at_ms }
    }

    fn chosen(candidates: Vec<Candidate>, under_way: &[(&str, &str, i64)], limit: usize) -> String {
        let mut counts = UnderWay::new();
        for (organisation, workflow, count) in under_way {
            counts.entry((*organisation).into()).or_default().insert((*workflow).into(), *count);
        }
        choose(candidates, counts, 1_000_000, limit).join(" ")
    }

    fn many(name: &str, prefix: &str, count: usize) -> Vec<Candidate> {
        (0..count).map(|n| candidate(name, &format!("{prefix}{n}"), 999_000 + n as i64)).collect()
    }

    #[test]
    fn organisations_and_workflows_take_turns() {
        let all = || {
            let mut all = many("acme/lab/x/1", "a", 10);
            all.extend(many("acme/lab/y/1", "b", 10));
            all.extend(many("zeta/lab/x/1", "z", 10));
            all
        };
        assert_eq!(chosen(all(), &[], 6), "a0 z0 b0 z1 a1 z2");
        assert_eq!(chosen(all(), &[("zeta", "lab/x", 2)], 4), "a0 b0 a1 z0");
        assert_eq!(chosen(all(), &[("acme", "lab/x", 1), ("zeta", "lab/z", 1)], 2), "b0 z0");
        assert_eq!(chosen(many("acme/lab/x/1", "a", 2), &[], 5), "a0 a1");
    }

    #[test]
    fn priorities_count_within_an_organisation_and_rise_with_time() {
        let all = || {
            let mut all = many("acme/lab/x/0", "low", 2);
            all.extend(many("acme/lab/x/2", "high", 2));
            all.extend(many("zeta/lab/x/0", "z", 1));
            all
        };
        assert_eq!(chosen(all(), &[], 5), "high0 z0 high1 low0 low1");
        let mut all = all();
        all.push(candidate("acme/lab/x/0", "old", 1_000_000 - 3 * RISES_AFTER_MS));
        assert_eq!(chosen(all, &[], 2), "old z0");
    }
}
