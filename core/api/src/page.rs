//! Pages of lists: a cursor in the query, and the cursor of the next page in the answer.

use schemars::JsonSchema;
use serde::Serialize;

/// A page of a list.
#[derive(Serialize, JsonSchema)]
pub struct Page<T> {
    /// What stands on it.
    pub items: Vec<T>,
    /// `?cursor=` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Items of a page, at most.
pub const LARGEST: u32 = 500;

/// What a list was asked for, within bounds: 50 if nothing was said.
pub fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(50).clamp(1, LARGEST)
}

impl<T> Page<T> {
    /// Makes a page of one item more than it holds: the last one only says that there is a next page.
    pub fn of(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}
