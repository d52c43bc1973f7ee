//! Addresses of people: read strictly, because they become lines of a header and words of a command.

use lettre::{Address, message::Mailbox};

const LOCAL_BYTES: usize = 64;
const ADDRESS_BYTES: usize = 254;
const NAME_CHARS: usize = 100;

/// `ann@acme.test`, or `Ann Example <ann@acme.test>`. Domains in other scripts become their ASCII form.
pub(super) fn read(text: &str) -> Result<Mailbox, String> {
    // What can't be read isn't repeated: it may be long, and end in somebody's terminal.
    let shown = || super::delivery::plain(&text.chars().take(80).collect::<String>());
    if text.chars().any(is_unprintable) {
        return Err(format!("`{}` has a line break or another character that no address has", shown()));
    }
    let text = text.trim();
    let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, address)) => (Some(name.trim()), address),
        None => (None, text),
    };
    let name = name.map(|name| name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name));
    if let Some(name) = name
        && (name.chars().any(|char| "<>\"\\".contains(char)) || name.chars().count() > NAME_CHARS)
    {
        return Err(format!("the name in `{}` has `<`, `>`, quotation marks or backslashes, or is too long", shown()));
    }
    let no_address = || format!("`{}` isn't an address such as ann@example.org", shown());
    let (local, domain) = address.rsplit_once('@').ok_or_else(no_address)?;
    if !is_local(local) {
        return Err(no_address());
    }
    let domain = ascii(domain).ok_or_else(no_address)?;
    if local.len() + 1 + domain.len() > ADDRESS_BYTES {
        return Err(format!("`{}` is longer than an address can be", shown()));
    }
    let address = Address::new(local, domain).map_err(|_| no_address())?;
    Ok(Mailbox::new(name.filter(|name| !name.is_empty()).map(str::to_owned), address))
}

/// Control characters, line separators of Unicode, and those that turn the direction of writing: a name with them reads as
/// another one.
fn is_unprintable(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Words between dots, as RFC 5321 has them; the quoted form, in which anything may stand, is refused.
fn is_local(local: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    local.len() <= LOCAL_BYTES && local.split('.').all(|word| !word.is_empty() && word.bytes().all(fits))
}

/// A domain in its ASCII form, with small letters; no address in brackets, and no numbers that look like one.
fn ascii(domain: &str) -> Option<String> {
    let domain = idna::domain_to_ascii_strict(domain).ok()?;
    let last = domain.rsplit('.').next()?;
    (!last.is_empty() && !last.bytes().all(|byte| byte.is_ascii_digit())).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, name, address) in [
            ("ann@acme.test", None, "ann@acme.test"),
            (" ann+x@ACME.test ", None, "ann+x@acme.test"),
            ("Ann Example <ann@acme.test>", Some("Ann Example"), "ann@acme.test"),
            ("\"Example, Ann\" <ann@acme.test>", Some("Example, Ann"), "ann@acme.test"),
            ("Änn 测试 <ann@bücher.example>", Some("Änn 测试"), "ann@xn--bcher-kva.example"),
            ("ann@例え.テスト", None, "ann@xn--r8jz45g.xn--zckzah"),
            ("<root@localhost>", None, "root@localhost"),
        ] {
            let mailbox = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((mailbox.name.as_deref(), mailbox.email.to_string().as_str()), (name, address), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_an_address() {
        let long = [
            format!("{}@acme.test", "a".repeat(65)),
            format!("a@{}.test", "b".repeat(64)),
            format!("a@{}test", "bcd.".repeat(63)),
            format!("{} <a@acme.test>", "n".repeat(101)),
        ];
        let texts = [
            "",
            "ann",
            "@acme.test",
            "ann@",
            "ann@acme..test",
            "ann@.test",
            "ann@acme.test.",
            ".ann@acme.test",
            "an..n@acme.test",
            "ann @acme.test",
            "ann@ac me.test",
            "ann@acme.test>",
            "ann@[127.0.0.1]",
            "ann@127.0.0.1",
            "änn@acme.test",
            "\"ann\"@acme.test",
            "a@b@acme.test",
            "ann@acme.test,bob@acme.test",
            "ann@acme.test\r\nBcc: eve@evil.test",
            "ann@acme.test\nRCPT TO:<eve@evil.test>",
            "Ann\r\nBcc: eve@evil.test <ann@acme.test>",
            "Ann\u{2028}Eve <ann@acme.test>",
            "nnA\u{202e} <ann@acme.test>",
            "Ann <eve@evil.test> <ann@acme.test>",
            "Ann\" <eve@evil.test>, \" <ann@acme.test>",
            "<<ann@acme.test>>",
            "ann@acme.test\0",
            "ann@-acme.test",
            "ann@ac_me.test",
        ];
        for text in texts.into_iter().chain(long.iter().map(String::as_str)) {
            assert!(read(text).is_err(), "{text:?} was read as {:?}", read(text));
        }
    }
}
