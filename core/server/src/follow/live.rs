//! A tree that redraws itself in place: what is settled scrolls away above, what moves stays at the bottom.

use std::{
    io,
    time::{Duration, Instant},
};

use console::{Term, measure_text_width, truncate_str};
use windlass_model::time::format_duration_ms;

use super::{
    picture::Picture,
    tree::{Look, parts},
};

/// The bottom of a terminal.
pub struct Live {
    term: Term,
    /// Parts that were printed for good.
    printed: usize,
    /// Lines that the next drawing replaces.
    drawn: usize,
    turn: usize,
    latest: Option<Instant>,
}

/// A terminal that is redrawn more often than this only flickers.
const REDRAW_EVERY: Duration = Duration::from_millis(60);

impl Live {
    /// On standard output.
    pub fn new() -> Self {
        let term = Term::buffered_stdout();
        // A terminal that can't hide its cursor shows it.
        let _ = term.hide_cursor();
        Self { term, printed: 0, drawn: 0, turn: 0, latest: None }
    }

    /// Draws the picture anew.
    pub fn draw(&mut self, picture: &Picture, now_ms: i64, hints: &[String]) -> io::Result<()> {
        if self.latest.is_some_and(|latest| latest.elapsed() < REDRAW_EVERY) {
            return Ok(());
        }
        self.latest = Some(Instant::now());
        let look = Look { now_ms, turn: self.turn, colours: console::colors_enabled() };
        self.turn += 1;
        let (rows, columns) = self.term.size();
        let (rows, columns) = (usize::from(rows).max(4), usize::from(columns).max(20));
        let all = parts(picture, look);
        self.erase()?;
        let mut rest = &all[self.printed.min(all.len())..];
        while let Some((part, others)) = rest.split_first().filter(|(part, _)| part.settled) {
            for line in &part.lines {
                self.term.write_line(line)?;
            }
            self.printed += 1;
            rest = others;
        }
        let mut lines: Vec<&str> = rest.iter().flat_map(|part| part.lines.iter().map(String::as_str)).collect();
        let room = rows.saturating_sub(3 + hints.len());
        let more = lines.len().saturating_sub(room);
        // What moves is at the end.
        lines.drain(..more);
        if more > 0 {
            self.line(&format!("… {more} lines above"), columns)?;
        }
        for line in lines {
            self.line(line, columns)?;
        }
        self.line(&status(picture, now_ms), columns)?;
        for hint in hints {
            self.line(hint, columns)?;
        }
        self.term.flush()
    }

    /// Prints what is left for good, and leaves the terminal as it was.
    pub fn finish(&mut self, picture: &Picture, now_ms: i64) -> io::Result<()> {
        let look = Look { now_ms, turn: 0, colours: console::colors_enabled() };
        self.erase()?;
        for part in parts(picture, look).iter().skip(self.printed) {
            for line in &part.lines {
                self.term.write_line(line)?;
            }
            self.printed += 1;
        }
        self.term.show_cursor()?;
        self.term.flush()
    }

    fn line(&mut self, line: &str, columns: usize) -> io::Result<()> {
        self.drawn += 1;
        match measure_text_width(line) > columns {
            true => self.term.write_line(&truncate_str(line, columns, "…")),
            false => self.term.write_line(line),
        }
    }

    fn erase(&mut self) -> io::Result<()> {
        let drawn = std::mem::take(&mut self.drawn);
        self.term.clear_last_lines(drawn)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.term.show_cursor();
        let _ = self.term.flush();
    }
}

fn status(picture: &Picture, now_ms: i64) -> String {
    let (done, all) = picture.counts();
    let since = format_duration_ms((now_ms - picture.began_at_ms).max(0));
    let mut line = format!("{} · {} · {done}/{all} steps · {since}", picture.workflow, picture.state);
    if let Some((percent, message)) = &picture.progress {
        let percent = percent.map(|percent| format!("{percent:.0} % ")).unwrap_or_default();
        line.push_str(&format!(" · {percent}{message}"));
    }
    line
}
