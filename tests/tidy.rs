//! The repository's own rules: what may depend on what, how files look, and that pages name only what exists.
//!
//! Every rule is a function that takes a tree of files and gives complaints, so that each is also tried on a tree
//! that breaks it.

#[path = "tidy/commands.rs"]
mod commands;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/errors.rs"]
mod errors;
#[path = "tidy/generated.rs"]
mod generated;
#[path = "tidy/interface.rs"]
mod interface;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/references.rs"]
mod references;
#[path = "tidy/repository.rs"]
mod repository;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/sources.rs"]
mod sources;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/tutorial.rs"]
mod tutorial;
