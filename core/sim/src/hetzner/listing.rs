//! Lists: filters, order, pages.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::{
    labels,
    refusal::{Refusal, invalid},
};
use crate::Request;

/// Query parameters that filter by a field of the same name; several values mean any of them.
const FILTERS: &[&str] =
    &["name", "status", "type", "ip", "fingerprint", "architecture", "mode", "bound_to", "command"];

/// `{"<kind>": [...], "meta": {...}}` of what fits the request.
pub(super) fn page(request: &Request, kind: &str, objects: Vec<Value>, largest: usize) -> Result<Value, Refusal> {
    let mut fitting = Vec::new();
    for object in objects {
        if fits(request, &object)? {
            fitting.push(object);
        }
    }
    sort(request, &mut fitting)?;
    let (page, per_page) = (number(request, "page", 1)?, number(request, "per_page", 25)?.min(largest));
    let total = fitting.len();
    let last = total.div_ceil(per_page).max(1);
    let shown: Vec<Value> = fitting.into_iter().skip((page - 1).saturating_mul(per_page)).take(per_page).collect();
    let pagination = json!({
        "page": page, "per_page": per_page, "total_entries": total, "last_page": last,
        "previous_page": (page > 1).then(|| (page - 1).min(last)), "next_page": (page < last).then_some(page + 1),
    });
    Ok(json!({ kind: shown, "meta": { "pagination": pagination } }))
}

fn number(request: &Request, name: &str, default: usize) -> Result<usize, Refusal> {
    match request.query(name) {
        None => Ok(default),
        Some(text) => match text.parse() {
            Ok(number @ 1..) => Ok(number),
            _ => Err(invalid(name, "has to be a number greater than 0")),
        },
    }
}

fn fits(request: &Request, object: &Value) -> Result<bool, Refusal> {
    for name in FILTERS {
        let mut wanted = request.query_all(name).peekable();
        let held = match &object[*name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if wanted.peek().is_some() && !wanted.any(|value| value == held) {
            return Ok(false);
        }
    }
    match request.query("label_selector") {
        Some(selector) if !selector.is_empty() => labels::fit(selector, &object["labels"]),
        _ => Ok(true),
    }
}

fn sort(request: &Request, objects: &mut [Value]) -> Result<(), Refusal> {
    let orders: Vec<&str> = request.query_all("sort").collect();
    for order in orders.iter().rev() {
        let (field, direction) = order.split_once(':').unwrap_or((order, "asc"));
        let known = ["id", "name", "created", "status", "command", "progress", "started", "finished", "type", "ttl"];
        if !known.contains(&field) || !["asc", "desc"].contains(&direction) {
            return Err(invalid("sort", format!("'{order}' isn't an order")));
        }
        objects.sort_by(|one, other| {
            let ordering = compare(&one[field], &other[field]);
            if direction == "desc" { ordering.reverse() } else { ordering }
        });
    }
    Ok(())
}

fn compare(one: &Value, other: &Value) -> Ordering {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => one.as_str().unwrap_or_default().cmp(other.as_str().unwrap_or_default()),
    }
}
