//! Passwords of addresses, hidden where the configuration is shown. Where it can't be told what is a password, more is hidden.

use percent_encoding::percent_decode_str;
use serde_json::Value;

const HIDDEN: &str = "***";
/// A parameter is secret whose name has one of these in it.
const SECRET: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "token", "apikey", "api_key", "api-key", "signature"];
/// Or is one of these.
const SECRET_EXACTLY: [&str; 6] = ["pass", "pwd", "key", "sig", "auth", "authorization"];
/// With these a user's name alone is no secret; elsewhere it may be a token.
const NAMED_USERS: [&str; 9] = ["postgres", "postgresql", "mysql", "ssh", "sftp", "smtp", "smtps", "ldap", "ldaps"];
/// What stands for a password where the user is a token.
const NO_PASSWORD: [&str; 2] = ["", "x-oauth-basic"];

/// The value without the passwords of its addresses.
pub fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => masked_text(text).into(),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(map) => map.iter().map(|(name, inner)| (name.clone(), masked(inner))).collect(),
        other => other.clone(),
    }
}

/// `postgres://name:***@host/db`, or `host=h user=name password=***`
fn masked_text(text: &str) -> String {
    // In libpq's notation an address is a value.
    let is_pairs = text.split("://").next().is_some_and(|before| before.contains('='));
    let text = if is_pairs { masked_pairs(text) } else { text.to_owned() };
    let Some((before, rest)) = text.split_once("://") else { return text };
    // Blanks, quotes and other schemes (`jdbc:`) may stand before the scheme.
    let scheme = &before[before.trim_end_matches(is_of_scheme).len()..];
    let (user, rest) = split_user(scheme, rest);
    let user = user.map(|user| masked_user(scheme, user) + "@").unwrap_or_default();
    format!("{before}://{user}{}", masked_query(rest))
}

fn is_of_scheme(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "+-.".contains(letter)
}

/// What stands before the hosts, and the rest. A password with `/`, `?` or `@` in it isn't well-formed, but it is a password.
fn split_user<'t>(scheme: &str, rest: &'t str) -> (Option<&'t str>, &'t str) {
    let first = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let path = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    let is_web = matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https" | "ws" | "wss");
    let has_user = match first.contains('@') {
        true => true,
        // `name:pass/word@host` begins like `host:port/path@1`; a port is a number.
        false => !are_hosts(first) || (!is_web && first.contains(':') && path.contains('@')),
    };
    match rest.rfind('@').filter(|_| has_user) {
        Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
        None => (None, rest),
    }
}

/// `host`, `host:5432,[::1]:5433`
fn are_hosts(text: &str) -> bool {
    text.split(',').all(|host| {
        let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
        after.split_once(':').is_none_or(|(_, port)| port.chars().all(|digit| digit.is_ascii_digit()))
    })
}

fn masked_user(scheme: &str, user: &str) -> String {
    match user.split_once(':') {
        Some((name, password)) if !NO_PASSWORD.contains(&password) => format!("{name}:{HIDDEN}"),
        _ if NAMED_USERS.contains(&scheme.to_ascii_lowercase().as_str()) => user.to_owned(),
        _ => HIDDEN.to_owned(),
    }
}

/// The values of secret parameters of a query, and of a fragment that is one, are hidden.
fn masked_query(rest: &str) -> String {
    let Some(start) = rest.find(['?', '#']) else { return rest.to_owned() };
    let (path, query) = rest.split_at(start + 1);
    let mut shown = path.to_owned();
    for parameter in query.split_inclusive(['&', ';']) {
        let (parameter, end) = match parameter.strip_suffix(['&', ';']) {
            Some(bare) => (bare, &parameter[bare.len()..]),
            None => (parameter, ""),
        };
        match parameter.split_once('=') {
            Some((name, value)) if is_secret(name) || holds_password(value) => {
                shown.extend([name, "=", HIDDEN, end]);
            }
            _ => shown.extend([parameter, end]),
        }
    }
    shown
}

/// Whether a parameter's value is an address with a password of its own.
fn holds_password(value: &str) -> bool {
    let value = percent_decode_str(value).decode_utf8_lossy();
    value.contains("://") && masked_text(&value) != value
}

fn is_secret(name: &str) -> bool {
    // What stands behind `?` of a second query, or before a space, isn't the name.
    let name = percent_decode_str(name).decode_utf8_lossy().trim().to_ascii_lowercase();
    let last = name.rsplit(['?', '#']).next().unwrap_or_default();
    SECRET.iter().any(|part| last.contains(part)) || SECRET_EXACTLY.contains(&last)
}

/// libpq's other notation: `host=h password='a b'`, with spaces around the signs if somebody likes them.
fn masked_pairs(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(sign) = rest.find('=') {
        let name = rest[..sign].trim_end();
        let name = name.rsplit(|letter: char| letter.is_whitespace()).next().unwrap_or_default();
        let after = &rest[sign + 1..];
        let begin = sign + 1 + (after.len() - after.trim_start().len());
        let end = begin + value_length(&rest[begin..]);
        match is_secret(name) && end > begin {
            true => shown.extend([&rest[..begin], HIDDEN]),
            false => shown.push_str(&rest[..end]),
        }
        rest = &rest[end..];
    }
    shown + rest
}

/// How long a value is: quoted to its other quote, otherwise to the next space; a backslash takes what follows it along. One that has
/// no other quote goes to the end.
fn value_length(text: &str) -> usize {
    let quoted = text.starts_with('\'');
    let mut letters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '\'' if quoted => return at + 1,
            _ if !quoted && letter.is_whitespace() => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_and_the_rest_is_not() {
        for (text, shown) in [
            // Users of URLs.
            ("postgres://a:b@h/db", "postgres://a:***@h/db"),
            ("postgres://a:b:c@d@h:5432/db", "postgres://a:***@h:5432/db"),
            ("postgresql://a:p%40ss%2Fw%3Fx@h/db?sslmode=require", "postgresql://a:***@h/db?sslmode=require"),
            ("postgres://a:b@h1:5432,h2:5433,[::1]:5434/db", "postgres://a:***@h1:5432,h2:5433,[::1]:5434/db"),
            ("postgres://a:p/w@h1:5432,h2/db", "postgres://a:***@h1:5432,h2/db"),
            ("postgres://a:p?w@h/db?x=y", "postgres://a:***@h/db?x=y"),
            ("postgres://a:p#w@h/db", "postgres://a:***@h/db"),
            ("postgres://a:p@s/w?r=d@h/db", "postgres://a:***@h/db"),
            ("postgres://a:12/34@h/db", "postgres://a:***@h/db"),
            ("postgres://a:@h/db", "postgres://a:@h/db"),
            ("postgres://a@h/db", "postgres://a@h/db"),
            ("https://TOKEN@git.example/x", "https://***@git.example/x"),
            ("https://TOKEN:@git.example/x", "https://***@git.example/x"),
            ("https://TOKEN:x-oauth-basic@git.example/x", "https://***@git.example/x"),
            ("https://a:b/c@git.example/x", "https://a:***@git.example/x"),
            ("redis://:b@h:6379/0", "redis://:***@h:6379/0"),
            // What stands before the scheme came along.
            (" postgres://a:b@h/db", " postgres://a:***@h/db"),
            ("\"postgres://a:b@h\"", "\"postgres://a:***@h\""),
            ("'postgres://a:b@h/db?password=c'", "'postgres://a:***@h/db?password=***"),
            ("jdbc:postgresql://a:b@h", "jdbc:postgresql://a:***@h"),
            ("jdbc:postgresql://h/db?user=a&password=b", "jdbc:postgresql://h/db?user=a&password=***"),
            ("url=postgres://a:b@h password=c", "url=postgres://a:***@h password=***"),
            ("://a:b@h", "://a:***@h"),
            ("git remote: https://TOKEN@git.example/x", "git remote: https://***@git.example/x"),
            // Queries.
            ("postgres://h/db?user=a&password=b&x=y", "postgres://h/db?user=a&password=***&x=y"),
            ("postgres://h/db?password=b&x=y&password=c", "postgres://h/db?password=***&x=y&password=***"),
            ("postgres://h/db?%70assword=b&PassWord=c", "postgres://h/db?%70assword=***&PassWord=***"),
            ("postgres://h/db?sslpassword=b&sslkey=/k", "postgres://h/db?sslpassword=***&sslkey=/k"),
            ("postgres://a:b@h/db?password=c", "postgres://a:***@h/db?password=***"),
            ("https://h/x?access_token=b;api_key=c&page=2", "https://h/x?access_token=***;api_key=***&page=2"),
            ("https://h/x#access_token=b", "https://h/x#access_token=***"),
            ("https://h/x?to=https%3A%2F%2Fa%3Ab%40g&page=2", "https://h/x?to=***&page=2"),
            // libpq's other notation.
            ("host=h user=a password=b dbname=d", "host=h user=a password=*** dbname=d"),
            (r"host=h password = 'b c\' d' dbname=d", "host=h password = *** dbname=d"),
            (r"password=b\ c dbname=d", "password=*** dbname=d"),
            ("password='b c", "password=***"),
            ("host=h password=a://b sslpassword=c=d user=a", "host=h password=*** sslpassword=*** user=a"),
            ("host=h1,h2 port=1,2 password=", "host=h1,h2 port=1,2 password="),
            // Nothing to hide.
            ("sqlite:/a/b", "sqlite:/a/b"),
            ("https://h/path@2?mail=a@b", "https://h/path@2?mail=a@b"),
            ("https://h:8080/@scope/x", "https://h:8080/@scope/x"),
            ("https://[::1]:8080/x?page=2#top", "https://[::1]:8080/x?page=2#top"),
            (
                "postgres://h1:5432,h2:5433/db?target_session_attrs=any",
                "postgres://h1:5432,h2:5433/db?target_session_attrs=any",
            ),
            ("postgres:///db?host=/run/postgresql", "postgres:///db?host=/run/postgresql"),
            ("file:/etc/windlass/mail.password", "file:/etc/windlass/mail.password"),
            ("0 3 * * *", "0 3 * * *"),
            ("", ""),
        ] {
            assert_eq!(masked_text(text), shown, "{text}");
        }
    }

    #[test]
    fn what_stands_in_lists_and_tables_is_hidden_too() {
        let value = serde_json::json!({ "a": ["https://T@h", 1], "b": { "c": "password=x" } });
        assert_eq!(masked(&value), serde_json::json!({ "a": ["https://***@h", 1], "b": { "c": "password=***" } }));
    }
}
