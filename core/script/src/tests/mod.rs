//! Tests of the whole crate, with a journal in memory and small modules of their own.

mod fixture;
mod suspension;
