//! Calls ops in unit tests the way the dispatcher does.

#[path = "../../../tests/harness/skip/loud.rs"]
mod loud;

use serde_json::Value;
use windlass_model::Problem;
use windlass_script::host::{Args, HostModule, Op, testing::TestCx};

pub(crate) use self::loud::skip;

/// A module, a context for its calls, and the runtime that they use.
pub(crate) struct Bench {
    pub(crate) module: HostModule,
    pub(crate) cx: TestCx,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    pub(crate) fn new(module: HostModule, grants: &[&str]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { module, cx: TestCx::new(grants), runtime }
    }

    pub(crate) fn op(&self, name: &str) -> &Op {
        self.module.ops.iter().find(|op| op.name == name).unwrap()
    }

    /// Calls an op; `args` is a JSON array.
    pub(crate) fn call(&self, name: &str, args: Value) -> Result<Value, Problem> {
        let op = self.op(name);
        let args = Args::new(op.params, args.as_array().unwrap().clone());
        (op.run)(&self.cx.on(&self.runtime), &args)
    }

    /// What an op finds of an earlier attempt; `args` is a JSON array.
    pub(crate) fn look_up(&self, name: &str, args: Value) -> Result<Option<Value>, Problem> {
        let op = self.op(name);
        let args = Args::new(op.params, args.as_array().unwrap().clone());
        op.lookup.as_ref().unwrap()(&self.cx.on(&self.runtime), &args)
    }

    /// Waits for something beside the op.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}
