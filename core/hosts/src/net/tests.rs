//! Unit tests of the lab logic over the twin.
