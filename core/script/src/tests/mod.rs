//! Tests of the whole crate, with a journal in memory and small modules of their own.

mod checking;
mod fixture;
mod suspension;
