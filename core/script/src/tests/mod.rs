//! Tests of the whole crate, with a journal in memory and small modules of their own.

mod behaviour;
mod branching;
mod checking;
mod declarations;
mod extremes;
mod fixture;
mod libraries;
mod locking;
mod naming;
mod recording;
mod scenarios;
mod secrecy;
mod suspension;
mod undoing;
