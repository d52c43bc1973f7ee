//! Which due runs are claimed when there are more than free workers. Organisations take turns: next is the one with the
//! fewest runs under way, on all nodes together. Within it the highest priority, and there the workflow with the fewest
//! runs under way, and of that the run that has been due longest. A run rises by one priority with every five minutes, so
//! none waits for ever.

use std::collections::{BTreeMap, HashMap, VecDeque};

use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Text},
};

use crate::{connection::AnyConnection, dialect};

/// Organisations' workflows' priorities that are looked at in one claim, at most.
const GROUPS: i64 = 1_000;
/// So long a run waits until it counts as one of the next priority.
const RISES_AFTER_MS: i64 = 300_000;

/// Up to `limit` runs that are due and that nobody holds.
pub(crate) fn due_runs(conn: &mut AnyConnection, now_ms: i64, limit: usize) -> QueryResult<Vec<String>> {
    let mut oldest = dialect::due_runs(conn, now_ms, limit as i64 + 1)?;
    if oldest.len() <= limit {
        return Ok(oldest);
    }
    let groups = groups(conn)?;
    if groups.len() > 1 {
        let candidates = candidates(conn, &groups, now_ms, limit as i64)?;
        let chosen = choose(candidates, under_way(conn)?, now_ms, limit);
        return dialect::still_due(conn, chosen, now_ms);
    }
    oldest.truncate(limit);
    Ok(oldest)
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

/// All groups that have runs with a time, each found by one look into the index.
fn groups(conn: &mut AnyConnection) -> QueryResult<Vec<String>> {
    let text = |group: &str| {
        format!(
            "WITH RECURSIVE g (name) AS ( \
               SELECT (SELECT {group} FROM runs WHERE due_at_ms IS NOT NULL ORDER BY {group} LIMIT 1) \
               UNION ALL \
               SELECT (SELECT {group} FROM runs WHERE due_at_ms IS NOT NULL AND {group} > g.name ORDER BY {group} LIMIT 1) \
               FROM g WHERE g.name IS NOT NULL \
             ) SELECT name FROM g WHERE name IS NOT NULL LIMIT {GROUPS}"
        )
    };
    let names: Vec<Name> = match conn {
        AnyConnection::Sqlite(c) => diesel::sql_query(text(GROUP)).load(c)?,
        AnyConnection::Postgres(c) => diesel::sql_query(text(&format!("({GROUP_POSTGRES})"))).load(c)?,
    };
    Ok(names.into_iter().map(|found| found.name).collect())
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

fn under_way(conn: &mut AnyConnection) -> QueryResult<UnderWay> {
    use crate::schema::{leases, runs};
    let rows: Vec<(String, String, i64)> = leases::table
        .inner_join(runs::table.on(runs::id.eq(leases::run_id)))
        .filter(leases::expires_at_ms.is_not_null())
        .group_by((runs::organisation, runs::workflow))
        .select((runs::organisation, runs::workflow, diesel::dsl::count_star()))
        .load(conn)?;
    let mut counts = UnderWay::new();
    for (organisation, workflow, count) in rows {
        counts.entry(organisation).or_default().insert(workflow, count);
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
    waiting.values_mut().for_each(|runs| runs.make_contiguous().sort());
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
