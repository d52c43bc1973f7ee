//! The order of steps: one stands before those of its branches, and 2 before 10.

use std::cmp::Ordering;

use windlass_model::StepPath;

/// Compares two places.
// Most stand in order already, and in one lane: their ordinals decide.
pub(crate) fn in_order(one: &StepPath, other: &StepPath) -> Ordering {
    match one.lane == other.lane {
        true => one.ordinal.cmp(&other.ordinal),
        false => natural(&one.to_string()).cmp(&natural(&other.to_string())),
    }
}

/// A path's parts as letter and number, which compare as people count.
fn natural(path: &str) -> Vec<(u8, u64)> {
    path.split('/')
        .map(|part| {
            let digits = part.trim_start_matches(|letter: char| !letter.is_ascii_digit());
            let letter = if digits.len() == part.len() { 0 } else { part.as_bytes()[0] };
            (letter, digits.parse().unwrap_or(u64::MAX))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_sort_as_people_count() {
        let mut paths = vec!["10", "2", "7/b1/3", "7", "7/b10/0", "7/b1/3/p0/1", "7/b2/0", "8", "7/p0/0"];
        paths.sort_by_key(|path| natural(path));
        assert_eq!(paths, ["2", "7", "7/b1/3", "7/b1/3/p0/1", "7/b2/0", "7/b10/0", "7/p0/0", "8", "10"]);
    }
}
