//! Tests of what an installation writes.
