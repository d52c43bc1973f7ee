//! The lab logic, over the twin in memory.
