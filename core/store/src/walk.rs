//! A walk through one index of runs: ids in the order of launches, with conditions that are looked up on the way.

use std::fmt::Write as _;

use diesel::{prelude::*, sql_types::Text};

use crate::{connection::AnyConnection, dialect::both};

/// Ids from one, up to another that isn't among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Range {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

impl Range {
    pub(crate) fn prefix(prefix: &str) -> Self {
        Self { from: Some(prefix.to_owned()), to: Some(format!("{prefix}\u{10ffff}")) }
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        let to = match (&self.to, &other.to) {
            (Some(one), Some(other)) => Some(one.min(other).clone()),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        Self { from: self.from.clone().max(other.from.clone()), to }
    }
}

/// How an index is entered.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Term(String),
    Runs { index: &'static str, equal: Vec<(&'static str, String)> },
}

/// One index and a range of its entries.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) entry: Entry,
    pub(crate) range: Range,
}

/// SQL with its arguments.
#[derive(Default)]
pub(crate) struct Sql {
    text: String,
    arguments: Vec<String>,
}

impl Sql {
    pub(crate) fn add(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Both databases take `$1`, as long as the arguments come in their order.
    pub(crate) fn bind(&mut self, value: &str) -> &mut Self {
        self.arguments.push(value.replace('\0', "\u{fffd}"));
        // Writing into a String can't fail.
        let _ = write!(self.text, "${}", self.arguments.len());
        self
    }

    pub(crate) fn range(&mut self, column: &str, range: &Range) -> &mut Self {
        if let Some(from) = &range.from {
            self.add(" AND ").add(column).add(" >= ").bind(from);
        }
        if let Some(to) = &range.to {
            self.add(" AND ").add(column).add(" < ").bind(to);
        }
        self
    }

    /// A count of one row or none: neither planner takes it for a join that could begin there.
    pub(crate) fn has_term(&mut self, id: &str, term: &str) -> &mut Self {
        self.add("(SELECT count(*) FROM run_terms o WHERE o.term = ")
            .bind(term)
            .add(" AND o.run_id = ")
            .add(id)
            .add(") > 0")
    }
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: String,
}

impl Stream {
    pub(crate) fn begin(&self, conn: &AnyConnection, oldest_first: bool) -> Sql {
        let mut sql = Sql::default();
        match &self.entry {
            Entry::Term(term) => {
                sql.add("SELECT d.id FROM (SELECT run_id AS id FROM run_terms WHERE term = ").bind(term);
                sql.range("run_id", &self.range);
            }
            Entry::Runs { index, equal } => {
                sql.add("SELECT d.id FROM (SELECT id, organisation, workflow, parent_run, state FROM runs");
                if matches!(conn, AnyConnection::Sqlite(_)) {
                    sql.add(" INDEXED BY ").add(index);
                }
                sql.add(" WHERE 1 = 1");
                for (column, value) in equal {
                    sql.add(" AND ").add(column).add(" = ").bind(value);
                }
                sql.range("id", &self.range);
            }
        }
        // PostgreSQL keeps this apart from what is looked up for each entry; SQLite puts both together.
        match conn {
            AnyConnection::Sqlite(_) => sql.add(") d WHERE 1 = 1"),
            AnyConnection::Postgres(_) if oldest_first => sql.add(" ORDER BY 1 OFFSET 0) d WHERE 1 = 1"),
            AnyConnection::Postgres(_) => sql.add(" ORDER BY 1 DESC OFFSET 0) d WHERE 1 = 1"),
        };
        sql
    }

    pub(crate) fn load(
        &self,
        conn: &mut AnyConnection,
        mut sql: Sql,
        oldest_first: bool,
        limit: i64,
        offset: u32,
    ) -> QueryResult<Vec<String>> {
        let order = if oldest_first { "ASC" } else { "DESC" };
        let _ = write!(sql.text, " ORDER BY d.id {order} LIMIT {limit} OFFSET {offset}");
        let found: Vec<Id> = both!(conn, c => {
            let mut query = diesel::sql_query(sql.text).into_boxed();
            for argument in sql.arguments {
                query = query.bind::<Text, _>(argument);
            }
            query.load(c)?
        });
        Ok(found.into_iter().map(|found| found.id).collect())
    }

    /// The entry with this number, from the newest or from the oldest.
    pub(crate) fn nth(&self, conn: &mut AnyConnection, oldest_first: bool, number: u32) -> QueryResult<Option<String>> {
        let sql = self.begin(conn, oldest_first);
        Ok(self.load(conn, sql, oldest_first, 1, number)?.pop())
    }
}
