//! A plan's answers, given to a sandbox in the place of ops.

use serde_json::Value;
use windlass_model::Problem;

use super::{PlannedAnswer, PlannedResult, ScenarioPlan};
use crate::Interceptor;

/// Answers by op and call; an answer for one call goes before one for all. Make one for each run of a plan.
pub struct PlannedAnswers {
    answers: Vec<PlannedAnswer>,
}

impl PlannedAnswers {
    /// The answers of this plan.
    pub fn new(plan: &ScenarioPlan) -> Self {
        Self { answers: plan.answers.clone() }
    }
}

impl Interceptor for PlannedAnswers {
    fn intercept(&self, op: &str, _args: &Value, nth: u32) -> Option<Result<Value, Problem>> {
        let of_op = || self.answers.iter().rev().filter(|answer| answer.op == op);
        let exact = of_op().find(|answer| answer.nth == Some(nth));
        exact.or_else(|| of_op().find(|answer| answer.nth.is_none())).map(|answer| match &answer.result {
            PlannedResult::Value(value) => Ok(value.clone()),
            PlannedResult::Error(problem) => Err(problem.clone()),
        })
    }
}
