//! The durable engine with the real sandbox and a real store: what a script may rely on.

mod branches;
mod failing;
mod locking;
mod replaying;
mod restarting;
mod restoring;
mod storage;
mod undoing;
mod waiting;
