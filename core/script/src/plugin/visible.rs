//! Text of strangers, as people may be shown it: nothing in it steers a terminal, or turns what is read around.

/// The text, with an escape in the place of whatever can't be seen or changes how the rest looks; line breaks and tabs stay
/// where `lines` are wanted.
pub fn visible(text: &str, lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\t' if lines => shown.push(letter),
            letter if letter.is_control() || is_unseen(letter) => shown.extend(letter.escape_default()),
            letter => shown.push(letter),
        }
    }
    shown
}

/// Marks for the direction of reading, what has no width, and separators that only look like line breaks.
fn is_unseen(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_steers_a_terminal_or_the_reading_is_written_out() {
        let text = "a\tb\r\n\u{1b}[2Jx\u{202e}\u{2066}y\u{200b}ü\u{9b}1m";
        assert_eq!(visible(text, true), "a\tb\\r\n\\u{1b}[2Jx\\u{202e}\\u{2066}y\\u{200b}ü\\u{9b}1m");
        assert_eq!(visible("a\nb\tc", false), "a\\nb\\tc");
        assert_eq!(visible("plain, 東京 and »ß«", false), "plain, 東京 and »ß«");
    }
}
