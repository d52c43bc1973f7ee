//! The same cases on SQLite and on PostgreSQL.

use windlass_tests::{World, postgres};

/// Where a server keeps what it knows.
pub struct Database {
    /// Empty: an SQLite file in the data folder.
    url: String,
}

impl Database {
    pub fn sqlite() -> Self {
        Self { url: String::new() }
    }

    /// A new one; `None`, after saying so, where no PostgreSQL is installed.
    pub fn postgres() -> Option<Self> {
        let url = postgres::database();
        if url.is_none() {
            windlass_tests::skip("no PostgreSQL is installed under /usr/lib/postgresql");
        }
        url.map(|url| Self { url })
    }

    /// A line of `windlass.toml`; it comes before all tables.
    pub fn settings(&self) -> String {
        match self.url.as_str() {
            "" => String::new(),
            url => format!("database = \"{url}\"\n"),
        }
    }

    /// A world on it.
    pub fn world(self) -> World {
        self.world_with(|_| {})
    }

    /// A world on it, configured so.
    pub fn world_with(self, configure: impl Fn(&mut windlass_engine::EngineConfig) + Send + Sync + 'static) -> World {
        World::with(move |config| {
            configure(config);
            if !self.url.is_empty() {
                windlass_engine::migrate(&self.url).expect("an empty database");
                config.url.clone_from(&self.url);
            }
        })
    }
}

/// Makes a test of each case for each database; `open` makes of a database what the cases want.
macro_rules! on_each_database {
    ($open:ident: $($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $case() { super::$case(super::$open(super::Database::sqlite())); })+
        }
        mod postgres {
            $(#[test] fn $case() {
                if let Some(database) = super::Database::postgres() {
                    super::$case(super::$open(database));
                }
            })+
        }
    };
}

pub(crate) use on_each_database;
