//! Draws a picture as a tree: branches, elapsed times, retries, waits, lines in between, the undo as a part of its own.

use console::style;
use windlass_model::time::format_duration_ms;

use super::{
    picture::{Node, Picture, Standing},
    words,
};

const SPINNER: &[&str] = &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Now, for what is under way; milliseconds since 1970.
    pub now_ms: i64,
    /// The spinner's turn.
    pub turn: usize,
    /// Whether colours may be used.
    pub colours: bool,
}

/// One part of the tree: the lines of a node of the root lane (or of the undo) with everything below it.
pub struct Part {
    /// Whether nothing of it can change any more.
    pub settled: bool,
    /// Its lines.
    pub lines: Vec<String>,
}

/// All parts, in order: the root lane, then the undo.
pub fn parts(picture: &Picture, look: Look) -> Vec<Part> {
    let part = |&index: &usize| {
        let mut lines = Vec::new();
        draw(picture, index, "", &mut lines, look);
        Part { settled: is_settled(picture, index), lines }
    };
    let mut all: Vec<Part> = picture.root.iter().map(part).collect();
    if !picture.undo.is_empty() {
        let heading = paint(look, "undo", |text| style(text).bold());
        all.push(Part { settled: true, lines: vec![heading] });
        all.extend(picture.undo.iter().map(part));
    }
    all
}

/// The whole tree as text.
pub fn render(picture: &Picture, now_ms: i64, colours: bool) -> String {
    let look = Look { now_ms, turn: 0, colours };
    let lines = parts(picture, look).into_iter().flat_map(|part| part.lines);
    lines.fold(String::new(), |text, line| text + line.as_str() + "\n")
}

fn is_settled(picture: &Picture, index: usize) -> bool {
    let node = &picture.nodes[index];
    let ended = matches!(node.standing, Standing::Done | Standing::Failed | Standing::Skipped);
    ended && node.lanes.iter().all(|(_, list)| list.iter().all(|&inner| is_settled(picture, inner)))
}

fn draw(picture: &Picture, index: usize, indent: &str, lines: &mut Vec<String>, look: Look) {
    let node = &picture.nodes[index];
    lines.push(format!("{indent}{}", describe(node, look)));
    // A poll's early repetitions say the same as the last one.
    let polls = node.lanes.iter().filter(|(name, _)| name.starts_with('p')).count();
    let mut skipped = polls.saturating_sub(1);
    let shown: Vec<&(String, Vec<usize>)> = node
        .lanes
        .iter()
        .filter(|(name, _)| {
            let skip = name.starts_with('p') && skipped > 0;
            skipped = skipped.saturating_sub(usize::from(skip));
            !skip
        })
        .collect();
    for (place, (name, list)) in shown.iter().enumerate() {
        let last = place + 1 == shown.len();
        let (corner, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        match name.as_bytes().first() {
            Some(b'b') if shown.len() > 1 || list.len() > 1 => {
                let title = paint(look, &format!("branch {}", &name[1..]), |text| style(text).dim());
                lines.push(format!("{indent}{corner}{title}"));
                let inner = format!("{indent}{below}");
                list.iter().for_each(|&child| draw(picture, child, &inner, lines, look));
            }
            _ => {
                let inner = format!("{indent}   ");
                list.iter().for_each(|&child| draw(picture, child, &inner, lines, look));
            }
        }
    }
}

fn describe(node: &Node, look: Look) -> String {
    if node.is_note {
        let line = words::short(&node.label, 400);
        return match node.standing {
            Standing::Failed => paint(look, &format!("│ {line}"), |text| style(text).yellow()),
            _ => paint(look, &format!("│ {line}"), |text| style(text).dim()),
        };
    }
    let mark = match node.standing {
        Standing::Active => paint(look, SPINNER[look.turn % SPINNER.len()], |text| style(text).cyan()),
        Standing::Waiting => paint(look, "◷", |text| style(text).yellow()),
        Standing::Done => paint(look, "✓", |text| style(text).green()),
        Standing::Failed => paint(look, "✗", |text| style(text).red()),
        Standing::InDoubt => paint(look, "?", |text| style(text).magenta()),
        Standing::Skipped => paint(look, "–", |text| style(text).dim()),
    };
    let mut line = format!("{mark} {}", node.label);
    let elapsed_ms = match node.standing {
        Standing::Active | Standing::Waiting => Some((look.now_ms - node.began_at_ms).max(0)).filter(|&ms| ms >= 1_000),
        _ => node.elapsed_ms.filter(|&ms| ms >= 1),
    };
    if let Some(ms) = elapsed_ms {
        line.push_str(&paint(look, &format!("  {}", format_duration_ms(ms)), |text| style(text).dim()));
    }
    if node.retries > 0 {
        let word = if node.retries == 1 { "retry" } else { "retries" };
        line.push_str(&paint(look, &format!("  {} {word}", node.retries), |text| style(text).yellow()));
    }
    if !node.detail.is_empty() {
        let detail = format!("  {}", node.detail);
        line.push_str(&match node.standing {
            Standing::Failed => paint(look, &detail, |text| style(text).red()),
            Standing::Waiting | Standing::InDoubt => paint(look, &detail, |text| style(text).yellow()),
            _ => paint(look, &detail, |text| style(text).dim()),
        });
    }
    line
}

fn paint<'a>(look: Look, text: &'a str, with: impl Fn(&'a str) -> console::StyledObject<&'a str>) -> String {
    with(text).force_styling(look.colours).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use windlass_model::{Event, EventKind};

    use super::*;

    fn picture(events: &[(EventKind, &str, serde_json::Value)]) -> Picture {
        let mut picture = Picture::default();
        for (seq, (kind, path, data)) in (1..).zip(events) {
            let path = (!path.is_empty()).then(|| (*path).to_owned());
            let data = data.clone();
            picture.add(&Event { run: "r".into(), seq, at_ms: 1_000 * seq, kind: *kind, path, data });
        }
        picture
    }

    #[test]
    fn branches_logs_and_retries_stand_where_they_belong() {
        let picture = picture(&[
            (EventKind::RunLaunched, "", json!({ "workflow": "lab/x" })),
            (EventKind::StepStarted, "0", json!({ "op": "net::a", "args": "[\"left\"]" })),
            (EventKind::StepSucceeded, "0", json!({ "op": "net::a", "result": null, "elapsed_ms": 12 })),
            (EventKind::Log, "#0", json!({ "level": "info", "message": "half way" })),
            (EventKind::StepStarted, "1", json!({ "op": "parallel", "args": "[2]" })),
            (EventKind::StepStarted, "1/b0/0", json!({ "op": "exec::probe", "args": "[[\"ping\"]]" })),
            (
                EventKind::StepRetrying,
                "1/b0/0",
                json!({ "op": "exec::probe", "error": { "code": "unavailable", "message": "no" } }),
            ),
            (EventKind::StepSucceeded, "1/b0/0", json!({ "op": "exec::probe", "elapsed_ms": 3 })),
            (EventKind::StepWaiting, "1/b1/0", json!({ "op": "sleep", "wait": { "wait": "timer" } })),
        ]);
        let text = render(&picture, 10_000, false);
        assert_eq!(
            text,
            "✓ net::a(\"left\")  12 ms\n\
             │ half way\n\
             ⠋ parallel(2)  5.0 s\n\
             ├─ branch 0\n\
             │  ✓ exec::probe([\"ping\"])  3 ms  1 retry\n\
             └─ branch 1\n   ◷ sleep  1.0 s  until its time has come\n"
        );
        assert_eq!(picture.counts(), (2, 4));
    }

    #[test]
    fn the_undo_is_a_part_of_its_own() {
        let picture = picture(&[
            (EventKind::StepSucceeded, "0", json!({ "op": "net::a", "elapsed_ms": 1 })),
            (
                EventKind::StepFailed,
                "1",
                json!({ "op": "net::b", "error": { "code": "conflict", "message": "taken" } }),
            ),
            (EventKind::RunFailed, "", json!({ "error": { "code": "conflict", "message": "taken" }, "undo": true })),
            (EventKind::RunRollingBack, "", json!({ "entries": 1 })),
            (EventKind::UndoStarted, "0", json!({ "seq": 1, "op": "net::delete_a" })),
            (EventKind::UndoDone, "0", json!({ "seq": 1, "op": "net::delete_a", "elapsed_ms": 4 })),
            (EventKind::RunRolledBack, "", json!({})),
        ]);
        let text = render(&picture, 10_000, false);
        assert_eq!(text, "✓ net::a  1 ms\n✗ net::b  conflict: taken\nundo\n✓ net::delete_a  4 ms\n");
        assert_eq!(picture.state, windlass_model::RunState::RolledBack);
    }
}
