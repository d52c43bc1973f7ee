//! Commands in hints, as they have to be typed here: `windlass` may not be on the PATH, or was told another data folder.

use std::sync::OnceLock;

use clap::CommandFactory as _;

use crate::cli::{Cli, Global};

static CALLED: OnceLock<String> = OnceLock::new();

/// Remembers how this process was called.
pub fn remember(global: &Global) {
    let mut words = vec![std::env::args().next().unwrap_or_else(|| "windlass".to_owned())];
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let flags = [
        ("--config", path(&global.config), "WINDLASS_CONFIG"),
        ("--data", path(&global.data), ""),
        ("--workflows", path(&global.workflows), ""),
        ("--server", global.server.clone(), "WINDLASS_SERVER"),
    ];
    for (flag, value, variable) in flags {
        // What a variable says is so for the next command, too.
        let given = value.filter(|value| std::env::var(variable).ok().as_ref() != Some(value));
        words.extend(given.into_iter().flat_map(|value| [flag.to_owned(), value]));
    }
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    // Called once, by `main`.
    let _ = CALLED.set(quoted.join(" "));
}

/// The text with every command in it as this process was called.
pub fn as_called(text: &str) -> String {
    CALLED.get().map_or_else(|| text.to_owned(), |called| replace(text, called))
}

fn replace(text: &str, called: &str) -> String {
    const NAME: &str = "windlass ";
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(NAME) {
        let (before, after) = (&rest[..at], &rest[at + NAME.len()..]);
        let begins = before.chars().next_back().is_none_or(|char| char.is_whitespace() || char == '`');
        let word = after.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default();
        let is_command = begins && Cli::command().find_subcommand(word).is_some();
        shown.push_str(before);
        shown.push_str(if is_command { called } else { NAME.trim_end() });
        shown.push(' ');
        rest = after;
    }
    shown + rest
}

/// A word as a shell reads it.
pub fn quote(word: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || "-_./:=@+".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_they_were_called() {
        let shown = |text: &str| replace(text, "./w --data x");
        assert_eq!(shown("windlass runs show 1"), "./w --data x runs show 1");
        assert_eq!(shown("do `windlass migrate`, windlass run a"), "do `./w --data x migrate`, ./w --data x run a");
        for text in ["windlass keeps this", "docs/windlass run", "a windlass is a machine", "windlass ", ""] {
            assert_eq!(shown(text), text);
        }
        assert_eq!((quote("a b"), quote("it's"), quote("./a")), ("'a b'".into(), r"'it'\''s'".into(), "./a".into()));
    }
}
