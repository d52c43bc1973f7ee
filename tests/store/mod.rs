//! The store on both databases: every command, every refusal, group commit, and what a broken disk does.

mod approvals;
mod chains;
mod claims;
mod differential;
mod documents;
mod ends;
mod faults;
mod feed;
mod group;
mod growth;
mod held;
mod journal;
mod keeping;
mod launches;
mod lists;
mod lock_names;
mod log;
mod migrations;
mod nodes;
mod order;
mod stuck_locks;
mod tenants;
mod undoing;
mod vouchers;
mod waits;
mod world;

/// Runs each case on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $case() { super::$case(&crate::store::world::World::sqlite()) })+
        }
        mod postgres {
            $(#[test] fn $case() {
                if let Some(world) = crate::store::world::World::postgres() {
                    super::$case(&world)
                }
            })+
        }
    };
}
pub(crate) use on_both;
