//! Lists of runs, newest first, quick however many there are: one index is walked, chosen by how far back its entries
//! reach, and the other conditions are looked up for each entry. A page may say how many entries it looks through.

use diesel::prelude::*;
use windlass_model::{
    RunState,
    query::{RunFilter, RunRecord, RunsPage, Scope},
};

use crate::{
    connection::AnyConnection,
    dialect,
    runs::RunRow,
    schema::runs,
    terms,
    walk::{Entry, Range, Sql, Stream},
};

/// Entries by whose age indices are compared: first few, which finds the short ones, then many.
const DEPTHS: [u32; 2] = [100, 5_000];
/// Rows that are read at once.
const ROWS: usize = 500;
/// Runs of one state that are counted where no index counts them.
const COUNTED: u64 = 10_000;

/// Runs that a filter finds, newest first.
pub(crate) fn list(conn: &mut AnyConnection, filter: &RunFilter) -> QueryResult<Vec<RunRecord>> {
    let limit = if filter.limit == 0 { 50 } else { filter.limit };
    let (ids, _) = ids(conn, &RunFilter { look_through: 0, ..filter.clone() }, limit as usize)?;
    records(conn, &ids)
}

/// A page of the runs that a filter finds, within bounds of what it may look through.
pub(crate) fn page(conn: &mut AnyConnection, filter: &RunFilter) -> QueryResult<RunsPage> {
    let limit = if filter.limit == 0 { 50 } else { filter.limit as usize };
    let (mut ids, mut next) = ids(conn, filter, limit + 1)?;
    if ids.len() > limit {
        ids.truncate(limit);
        next = ids.last().cloned();
    }
    Ok(RunsPage { runs: records(conn, &ids)?, next: next.map(Into::into) })
}

fn records(conn: &mut AnyConnection, ids: &[String]) -> QueryResult<Vec<RunRecord>> {
    let mut records = Vec::with_capacity(ids.len());
    for some in ids.chunks(ROWS) {
        let rows: Vec<RunRow> =
            runs::table.filter(runs::id.eq_any(some)).order(runs::id.desc()).select(RunRow::as_select()).load(conn)?;
        records.extend(rows.into_iter().map(RunRow::record));
    }
    Ok(records)
}

/// How many runs a filter finds, at most `cap`. Its limit doesn't count.
pub(crate) fn count(conn: &mut AnyConnection, filter: &RunFilter, cap: u64) -> QueryResult<u64> {
    let all = RunFilter { look_through: 0, ..filter.clone() };
    Ok(ids(conn, &all, usize::try_from(cap).unwrap_or(usize::MAX))?.0.len() as u64)
}

/// Runs by state, within scopes. Those of parts of organisations are counted up to 10,000 of a state.
pub(crate) fn counts(conn: &mut AnyConnection, scopes: Option<&[Scope]>) -> QueryResult<Vec<(RunState, u64)>> {
    let everything = |scope: &Scope| scope.organisation == "*" && scope.folder == "*";
    let whole = |scope: &Scope| scope.folder == "*";
    match scopes {
        None => crate::runs::counts(conn, None),
        Some(scopes) if scopes.iter().any(everything) => crate::runs::counts(conn, None),
        Some(scopes) if scopes.iter().all(whole) => {
            let names: Vec<&str> = scopes.iter().map(|scope| scope.organisation.as_str()).collect();
            crate::runs::counts(conn, Some(&names))
        }
        Some(scopes) => {
            let mut counts = Vec::new();
            for &state in RunState::ALL {
                let filter = RunFilter { states: vec![state], scopes: Some(scopes.to_vec()), ..RunFilter::default() };
                counts.push((state, count(conn, &filter, COUNTED)?));
            }
            counts.retain(|(_, count)| *count > 0);
            Ok(counts)
        }
    }
}

/// The newest ids; and where the search was given up, if it was: everything from there on was looked through.
fn ids(conn: &mut AnyConnection, filter: &RunFilter, limit: usize) -> QueryResult<(Vec<String>, Option<String>)> {
    dialect::walk_indices(conn)?;
    let (mut ids, mut reached): (Vec<String>, Option<String>) = (Vec::new(), None);
    let all = Wanted::all(filter);
    let most = (filter.look_through > 0).then(|| (filter.look_through / all.len().max(1) as u32).max(1));
    for mut wanted in all {
        if ids.len() >= limit {
            // Older ones than those that are there already have no place in the list.
            wanted.since(ids.last().cloned());
        }
        let (found, back) = wanted.newest(conn, limit, most)?;
        reached = reached.max(back);
        ids.extend(found);
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.dedup();
        ids.truncate(limit);
    }
    // Beyond that, others could stand between them.
    ids.retain(|id| reached.as_ref().is_none_or(|reached| id >= reached));
    let reached = reached.filter(|_| ids.len() < limit);
    Ok((ids, reached))
}

/// Conditions that all have to hold. A filter is one of these, or several, one for each scope.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wanted {
    organisation: Option<String>,
    workflow: Option<String>,
    states: Vec<&'static str>,
    waiting_on: Vec<&'static str>,
    parent: Option<String>,
    terms: Vec<String>,
    words: Vec<String>,
    range: Range,
}

/// What can be walked: one index, or several of which each gives a part. It stands for some of the conditions.
#[derive(Clone, Debug)]
struct Driver {
    streams: Vec<Stream>,
    covers: usize,
    term: Option<String>,
}

impl Wanted {
    fn all(filter: &RunFilter) -> Vec<Self> {
        let mut base = Self {
            organisation: filter.organisation.clone(),
            states: filter.states.iter().map(|state| state.as_str()).collect(),
            waiting_on: filter.waiting_on.iter().map(|reason| reason.as_str()).collect(),
            parent: filter.parent.as_ref().map(ToString::to_string),
            ..Self::default()
        };
        match filter.workflow.as_deref().map(|name| name.strip_suffix("/*").ok_or(name)) {
            None => {}
            Some(Ok(folder)) => base.terms.push(terms::folder(folder)),
            Some(Err(name)) => base.workflow = Some(name.to_owned()),
        }
        base.terms.extend(filter.tag.as_deref().map(terms::tag));
        base.terms.extend(filter.inputs.iter().map(|(field, value)| terms::input(field, value)));
        if let Some(text) = &filter.text {
            base.words = terms::words(text).collect();
            if base.words.is_empty() {
                // What has no word occurs nowhere.
                return Vec::new();
            }
        }
        for list in [&mut base.terms, &mut base.words] {
            list.sort_unstable();
            list.dedup();
        }
        if !base.waiting_on.is_empty() && base.states.is_empty() {
            // Only these wait, and they have an index.
            base.states.push(RunState::Waiting.as_str());
        }
        base.states.sort_unstable();
        base.states.dedup();
        let bounds = [
            filter.id_prefix.as_deref().map(|prefix| Range::prefix(&prefix.to_lowercase())),
            filter.since_ms.map(|ms| Range { from: Some(time_prefix(ms)), to: None }),
            filter.until_ms.map(|ms| Range { from: None, to: Some(time_prefix(ms)) }),
            filter.before.as_ref().map(|id| Range { from: None, to: Some(id.to_string()) }),
        ];
        base.range = bounds.iter().flatten().fold(Range::default(), |range, bound| range.and(bound));
        let Some(scopes) = &filter.scopes else { return vec![base] };
        let mut all: Vec<Self> = Vec::new();
        for wanted in scopes.iter().flat_map(|scope| base.within(scope)) {
            if wanted == base {
                return vec![base];
            }
            if !all.contains(&wanted) {
                all.push(wanted);
            }
        }
        all
    }

    /// These conditions within a scope: none if they exclude each other, two if its folder may be a workflow, too.
    fn within(&self, scope: &Scope) -> Vec<Self> {
        let mut wanted = self.clone();
        if scope.organisation != "*" {
            if self.organisation.as_ref().is_some_and(|asked| *asked != scope.organisation) {
                return Vec::new();
            }
            wanted.organisation = Some(scope.organisation.clone());
        }
        if scope.folder == "*" {
            return vec![wanted];
        }
        if let Some(workflow) = &self.workflow {
            let inside = Scope { organisation: "*".into(), folder: scope.folder.clone() }.covers("*", workflow);
            return if inside { vec![wanted] } else { Vec::new() };
        }
        let exactly = Self { workflow: Some(scope.folder.clone()), ..wanted.clone() };
        let term = terms::folder(&scope.folder);
        if !wanted.terms.contains(&term) {
            wanted.terms.push(term);
        }
        vec![exactly, wanted]
    }

    fn since(&mut self, id: Option<String>) {
        self.range = self.range.and(&Range { from: id, to: None });
    }

    fn conditions(&self) -> usize {
        let columns = [&self.organisation, &self.workflow, &self.parent].into_iter().flatten().count();
        let lists = [&self.states, &self.waiting_on].into_iter().filter(|list| !list.is_empty()).count();
        columns + lists + self.terms.len() + self.words.len()
    }

    fn runs(&self, index: &'static str, equal: &[(&'static str, &str)]) -> Stream {
        let equal = equal.iter().map(|(column, value)| (*column, (*value).to_owned())).collect();
        Stream { entry: Entry::Runs { index, equal }, range: self.range.clone() }
    }

    fn by_id(&self) -> Stream {
        // SQLite's name for the index of the primary key.
        self.runs("sqlite_autoindex_runs_1", &[])
    }

    /// All ways to walk these runs; the last one walks all runs there are.
    fn drivers(&self) -> Vec<Driver> {
        let of = |streams: Vec<Stream>, covers: usize| Driver { streams, covers, term: None };
        let mut drivers = Vec::new();
        let organisation = self.organisation.as_deref();
        if let (Some(organisation), false) = (organisation, self.states.is_empty()) {
            let stream = |state: &&'static str| {
                self.runs("runs_organisation_state", &[("organisation", organisation), ("state", state)])
            };
            drivers.push(of(self.states.iter().map(stream).collect(), 2));
        } else if !self.states.is_empty() {
            let stream = |state: &&'static str| self.runs("runs_state", &[("state", state)]);
            drivers.push(of(self.states.iter().map(stream).collect(), 1));
        }
        match (organisation, self.workflow.as_deref()) {
            (Some(organisation), Some(workflow)) => {
                let equal = [("organisation", organisation), ("workflow", workflow)];
                drivers.push(of(vec![self.runs("runs_organisation_workflow", &equal)], 2));
            }
            (None, Some(workflow)) => {
                drivers.push(of(vec![self.runs("runs_workflow", &[("workflow", workflow)])], 1));
            }
            _ => {}
        }
        if let Some(parent) = &self.parent {
            drivers.push(of(vec![self.runs("runs_parent", &[("parent_run", parent)])], 1));
        }
        for term in &self.terms {
            let stream = Stream { entry: Entry::Term(term.clone()), range: self.range.clone() };
            drivers.push(Driver { streams: vec![stream], covers: 1, term: Some(term.clone()) });
        }
        for word in &self.words {
            let term = Stream { entry: Entry::Term(terms::word(word)), range: self.range.clone() };
            let id = Stream { range: self.range.and(&Range::prefix(word)), ..self.by_id() };
            drivers.push(Driver { streams: vec![term, id], covers: 1, term: None });
        }
        if let Some(organisation) = organisation
            && drivers.iter().all(|driver| driver.covers < 2)
        {
            drivers.push(of(vec![self.runs("runs_organisation", &[("organisation", organisation)])], 1));
        }
        drivers.push(of(vec![self.by_id()], 0));
        drivers
    }

    /// The newest of these runs. With `most`, no more entries than that are looked through; then the answer also says where
    /// the search was given up.
    fn newest(
        mut self,
        conn: &mut AnyConnection,
        limit: usize,
        most: Option<u32>,
    ) -> QueryResult<(Vec<String>, Option<String>)> {
        let conditions = self.conditions();
        if conditions > 1 && !self.trim(conn)? {
            return Ok((Vec::new(), None));
        }
        let drivers = self.drivers();
        let driver = match drivers.iter().find(|driver| driver.covers == conditions) {
            Some(whole) => whole,
            None => &drivers[shortest(conn, &drivers)?],
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (mut ids, mut reached) = (Vec::new(), None);
        // Where the index stands for all conditions, each of its entries is one of the list.
        let most = most.filter(|_| driver.covers < conditions).map(|most| most / driver.streams.len().max(1) as u32);
        for stream in &driver.streams {
            let mut stream = stream.clone();
            if let Some(most) = most
                && let Some(last) = stream.nth(conn, false, most)?
            {
                stream.range = stream.range.and(&Range { from: Some(last.clone()), to: None });
                reached = reached.max(Some(last));
            }
            let mut sql = stream.begin(conn, false);
            self.check(&mut sql, &stream, driver.term.as_deref());
            ids.extend(stream.load(conn, sql, false, limit, 0)?);
        }
        Ok((ids, reached))
    }

    /// Narrows the range to where every index has entries; false if one has none.
    fn trim(&mut self, conn: &mut AnyConnection) -> QueryResult<bool> {
        let mut drivers = self.drivers();
        drivers.pop();
        for driver in &mut drivers {
            let (mut newest, mut oldest) = (None, None);
            for stream in &mut driver.streams {
                stream.range = stream.range.and(&self.range);
                if let Some(id) = stream.nth(conn, false, 0)? {
                    newest = newest.max(Some(id));
                    let first = stream.nth(conn, true, 0)?;
                    oldest = if oldest.is_none() { first } else { oldest.min(first) };
                }
            }
            let Some(newest) = newest else { return Ok(false) };
            // `!` comes before every character of an id.
            self.range = self.range.and(&Range { from: oldest, to: Some(format!("{newest}!")) });
        }
        Ok(true)
    }

    /// The conditions, looked up for one entry of a stream.
    fn check(&self, sql: &mut Sql, stream: &Stream, term: Option<&str>) {
        let by_term = matches!(stream.entry, Entry::Term(_));
        let columns =
            [("organisation", &self.organisation), ("workflow", &self.workflow), ("parent_run", &self.parent)];
        let has_columns = columns.iter().any(|(_, value)| value.is_some()) || !self.states.is_empty();
        if by_term && has_columns {
            sql.add(" AND (SELECT count(*) FROM runs r WHERE r.id = d.id");
        }
        for (column, value) in columns {
            if let Some(value) = value {
                sql.add(" AND ").add(column).add(" = ").bind(value);
            }
        }
        if !self.states.is_empty() {
            sql.add(" AND state IN (");
            for (index, state) in self.states.iter().enumerate() {
                sql.add(if index > 0 { ", " } else { "" }).bind(state);
            }
            sql.add(")");
        }
        if by_term && has_columns {
            sql.add(") > 0");
        }
        if !self.waiting_on.is_empty() {
            // No index has it: it is looked up in the row. It is a list with commas.
            sql.add(" AND (SELECT count(*) FROM runs w WHERE w.id = d.id AND (1 = 0");
            for reason in &self.waiting_on {
                sql.add(" OR (',' || w.waiting_on || ',') LIKE ").bind(&format!("%,{reason},%"));
            }
            sql.add(")) > 0");
        }
        for other in self.terms.iter().filter(|other| Some(other.as_str()) != term) {
            sql.add(" AND ").has_term("d.id", other);
        }
        for word in &self.words {
            let range = Range::prefix(word);
            sql.add(" AND (").has_term("d.id", &terms::word(word)).add(" OR (1 = 1").range("d.id", &range).add("))");
        }
    }
}

/// Which index to walk: one with few entries, else the one whose entries lie farthest apart.
fn shortest(conn: &mut AnyConnection, drivers: &[Driver]) -> QueryResult<usize> {
    let mut best = drivers.len() - 1;
    for depth in DEPTHS {
        let mut reached: Option<String> = None;
        for (index, driver) in drivers.iter().enumerate() {
            let mut back = None;
            for stream in &driver.streams {
                back = back.max(stream.nth(conn, false, depth - 1)?);
            }
            match back {
                None => return Ok(index),
                Some(back) if reached.as_ref().is_none_or(|reached| back < *reached) => {
                    (reached, best) = (Some(back), index);
                }
                Some(_) => {}
            }
        }
    }
    Ok(best)
}

/// How ids of this time begin: a ULID's first ten characters are its milliseconds.
fn time_prefix(ms: i64) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let ms = ms.clamp(0, (1 << 48) - 1);
    (0..10).rev().map(|digit| char::from(ALPHABET[(ms >> (5 * digit) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_beginnings_of_ids() {
        assert_eq!(time_prefix(0), "0000000000");
        // The ULID specification's example: 01ARYZ6S41 is 1469918176385.
        assert_eq!(time_prefix(1_469_918_176_385), "01aryz6s41");
        assert_eq!(time_prefix(i64::MAX), "7zzzzzzzzz");
    }

    #[test]
    fn scopes_that_exclude_the_filter_leave_nothing() {
        let scope =
            |organisation: &str, folder: &str| Scope { organisation: organisation.into(), folder: folder.into() };
        let filter = RunFilter {
            organisation: Some("acme".into()),
            scopes: Some(vec![scope("other", "*"), scope("acme", "lab"), scope("*", "lab")]),
            ..RunFilter::default()
        };
        let all = Wanted::all(&filter);
        assert_eq!(all.len(), 2, "the same conditions once: {all:?}");
        let everything = RunFilter { scopes: Some(vec![scope("acme", "lab"), scope("*", "*")]), ..filter };
        assert_eq!(Wanted::all(&everything).len(), 1);
        assert!(Wanted::all(&RunFilter { text: Some("? !".into()), ..RunFilter::default() }).is_empty());
    }
}
