//! Templates that only place values: loops and conditions, and nothing that could grow text out of bounds.

use minijinja::AutoEscape;
use serde_json::Value;
use windlass_model::{Code, Problem};

use crate::support;

/// Bytes that a filled-in template has, at most.
const OUTPUT_BYTES: usize = 4 << 20;
const FUEL: u64 = 1_000_000;
const TEMPLATE_BYTES: usize = 256 << 10;
const STATEMENTS: [&str; 6] = ["for", "endfor", "if", "elif", "else", "endif"];

/// Fills in a template. The output is at most what a file may hold, and one byte more than that is an error.
pub(crate) fn render(template: &str, values: &Value, has_secret: bool, escape: AutoEscape) -> Result<Vec<u8>, Problem> {
    if template.len() > TEMPLATE_BYTES {
        return Err(Problem::new(Code::LimitExceeded, "a template is at most 256 KiB long").no_effect());
    }
    check(template)?;
    // No filters, functions, includes or files: values are prepared by the script.
    let mut environment = minijinja::Environment::empty();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(move |_| escape.clone());
    environment.set_fuel(Some(FUEL));
    let mut output = Bounded(Vec::new());
    let values = minijinja::value::Serde(values);
    // The engine takes one line break off the end.
    let template = format!("{template}\n");
    let result = environment
        .template_from_str(&template)
        .and_then(|template| template.render_captured_to(values, &mut output).map(|_| ()));
    match result {
        Ok(()) => Ok(output.0),
        Err(_) if output.0.len() > OUTPUT_BYTES => {
            Err(Problem::new(Code::LimitExceeded, "the filled-in template is longer than 4 MiB").no_effect())
        }
        // The engine may show values in its errors.
        Err(error) if has_secret => {
            Err(support::invalid(format!("`template`, line {}: {:?}", error.line().unwrap_or(0), error.kind())))
        }
        Err(error) => Err(support::invalid(format!("`template`: {error}"))),
    }
}

/// Refuses what could multiply text before the output's limit sees it: variables, macros, captured blocks, recursion
/// and the operators that join text.
fn check(template: &str) -> Result<(), Problem> {
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        rest = &rest[open + 1..];
        let statement = rest.starts_with('%');
        if rest.starts_with('#') {
            rest = rest.find("#}").map_or("", |end| &rest[end..]);
        } else if statement || rest.starts_with('{') {
            let (tag, after) = tag(&rest[1..], if statement { "%}" } else { "}}" });
            rest = after;
            let words: Vec<&str> = tag.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
            let first = words.iter().find(|word| !word.is_empty()).copied().unwrap_or_default();
            if statement && !STATEMENTS.contains(&first) {
                return Err(support::invalid(format!(
                    "`template`: `{{% {first} %}}` isn't one of for, if, elif and else"
                )));
            }
            if tag.contains(['~', '*', '+']) || words.contains(&"recursive") {
                return Err(support::invalid("`template`: `~`, `+`, `*` and `recursive` can't be used")
                    .help("compute the text in the script and hand it over as a value"));
            }
        }
    }
    Ok(())
}

/// A tag's code without its quoted texts, and what follows the tag.
fn tag<'a>(text: &'a str, end: &str) -> (String, &'a str) {
    let mut code = String::new();
    let mut quote = None;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match quote {
            None if text[at..].starts_with(end) => return (code, &text[at + end.len()..]),
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            None => code.push(letter),
            Some(_) if letter == '\\' => drop(letters.next()),
            Some(open) if letter == open => quote = None,
            Some(_) => {}
        }
    }
    (code, "")
}

/// Takes one byte more than a file may hold, so that too much can be told from just enough.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = (OUTPUT_BYTES + 1).saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if room < bytes.len() {
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "longer than 4 MiB"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    fn text(template: &str, values: Value) -> Result<String, Problem> {
        render(template, &values, false, AutoEscape::None).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn values_are_placed() {
        let template = "{# hosts #}{% for host in hosts %}{{ host.name }} {{ host[\"ip\"] }}\n{%- if loop.last %} last{% endif %}{% endfor %}\n";
        let values = json!({ "hosts": [{ "name": "a<b>", "ip": "10.0.0.1" }, { "name": "b", "ip": "10.0.0.2" }] });
        assert_eq!(text(template, values).unwrap(), "a<b> 10.0.0.1b 10.0.0.2 last\n");
        assert_eq!(text("{ {a} {{ '~*+ }}' }}\n\n", json!({})).unwrap(), "{ {a} ~*+ }}\n\n");
    }

    #[test]
    fn what_is_placed_in_html_is_escaped() {
        let values = json!({ "a": "<b>&'\"</b>" });
        let made = render("<p>{{ a }}</p>", &values, false, AutoEscape::Html).unwrap();
        assert_eq!(String::from_utf8(made).unwrap(), "<p>&lt;b&gt;&amp;&#x27;&quot;&lt;&#x2f;b&gt;</p>");
    }

    #[test]
    fn mistakes_are_errors() {
        for template in [
            "{{ missing }}",
            "{{ a",
            "{% for x in a %}",
            "{% include 'x' %}",
            "{{ a|upper }}",
            "{{ a.b.c }}",
            "{% set x = 1 %}",
        ] {
            assert_eq!(text(template, json!({ "a": "x" })).unwrap_err().code, Code::InvalidArgument, "{template}");
        }
        let problem = render("{{ a.b.c }}", &json!({ "a": "hush" }), true, AutoEscape::None).unwrap_err();
        assert!(!problem.message.contains("hush"));
    }

    #[test]
    fn text_cannot_grow_out_of_bounds() {
        let begin = Instant::now();
        let values = json!({ "a": "x".repeat(1 << 20), "many": vec![0; 10_000] });
        let doubling = "{% set a = a ~ a %}".repeat(40);
        for template in [
            doubling.as_str(),
            "{{ 'x' * 1000000000000 }}",
            "{{ a ~ a }}",
            "{{ a + a }}",
            "{% set b %}{{ a }}{{ a }}{% endset %}",
            "{% macro f() %}{{ a }}{% endmacro %}",
            "{% for x in many recursive %}{{ loop(many) }}{% endfor %}",
            "{%- set b = 1 -%}",
            "{% for x in many %}{% for y in many %}{% endfor %}{% endfor %}",
            "{% for x in many %}{{ a }}{% endfor %}",
        ] {
            assert!(text(template, values.clone()).is_err(), "{template}");
        }
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
}
