//! Reads YAML or JSON into a value that remembers where each part of it stands, within bounds.

use std::{borrow::Cow, collections::HashMap};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value, json};
use windlass_model::{Code, Problem};

/// Longest text.
pub const TEXT_BYTES: usize = 1 << 20;
/// Most values, those that aliases repeat included.
pub const VALUES: usize = 200_000;
/// Deepest nesting.
pub const DEPTH: usize = 32;

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A value with the places of its parts, by JSON pointer.
#[derive(Clone, Debug)]
pub struct Read {
    /// What the text says.
    pub value: Value,
    places: HashMap<String, Place>,
}

impl Read {
    /// Where a part stands; for one that isn't there, the nearest that it would be in.
    pub fn place(&self, pointer: &str) -> Option<Place> {
        let mut pointer = pointer;
        loop {
            match self.places.get(pointer) {
                Some(place) => return Some(*place),
                None => pointer = &pointer[..pointer.rfind('/')?],
            }
        }
    }
}

/// Reads one document; `what` names it in errors (a file's name).
pub fn read(what: &str, text: &str) -> Result<Read, Problem> {
    if text.len() > TEXT_BYTES {
        let message = format!("{what} has {} bytes; a document has at most {TEXT_BYTES}", text.len());
        return Err(Problem::new(Code::LimitExceeded, message).no_effect());
    }
    let mut builder = Builder { what, read: Read { value: Value::Null, places: HashMap::new() }, ..Builder::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| builder.wrong(*error.marker(), error.info()))?;
        builder.take(event, span.start)?;
    }
    match builder.documents {
        1 => Ok(builder.read),
        0 => Err(Problem::new(Code::InvalidInput, format!("{what} is empty")).no_effect()),
        _ => Err(Problem::new(Code::InvalidInput, format!("{what} holds several documents; one is read")).no_effect()),
    }
}

/// A map or list that is being read.
enum Open {
    List(Vec<Value>),
    /// With the key whose value comes next, and whether that is a plain `<<`.
    Map(Map<String, Value>, Option<(String, bool)>),
}

struct Frame {
    open: Open,
    pointer: String,
    anchor: usize,
}

struct Builder<'a> {
    what: &'a str,
    stack: Vec<Frame>,
    /// What an anchor stands for, and how many values that is.
    anchors: HashMap<usize, (Value, usize)>,
    values: usize,
    documents: usize,
    read: Read,
}

impl Default for Builder<'_> {
    fn default() -> Self {
        let read = Read { value: Value::Null, places: HashMap::new() };
        Self { what: "", stack: Vec::new(), anchors: HashMap::new(), values: 0, documents: 0, read }
    }
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, at: Marker) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(_) => self.documents += 1,
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(Frame { open: Open::Map(map, key @ None), .. }) = self.stack.last_mut() {
                    if map.contains_key(&*text) {
                        return Err(self.wrong(at, &format!("the key `{text}` is there twice")));
                    }
                    let merges = style == ScalarStyle::Plain && text == "<<";
                    *key = Some((text.into_owned(), merges));
                    return Ok(());
                }
                let value = scalar(text, style, tag.as_deref()).map_err(|why| self.wrong(at, &why))?;
                self.open_place(at);
                self.keep(anchor, &value, 1);
                self.put(value, 1, at)?;
            }
            Event::Alias(anchor) => {
                let Some((value, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.wrong(at, "this alias stands inside what it repeats"));
                };
                self.open_place(at);
                self.put(value, size, at)?;
            }
            Event::SequenceStart(anchor, _) => self.enter(Open::List(Vec::new()), anchor, at)?,
            Event::MappingStart(anchor, _) => self.enter(Open::Map(Map::new(), None), anchor, at)?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Frame { open, anchor, .. }) = self.stack.pop() {
                    let value = match open {
                        Open::List(items) => Value::Array(items),
                        Open::Map(map, _) => Value::Object(map),
                    };
                    if anchor != 0 {
                        let size = count(&value);
                        self.keep(anchor, &value, size);
                    }
                    self.put(value, 0, at)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, open: Open, anchor: usize, at: Marker) -> Result<(), Problem> {
        if let Some(Frame { open: Open::Map(_, None), .. }) = self.stack.last() {
            return Err(self.wrong(at, "a key has to be text"));
        }
        if self.stack.len() >= DEPTH {
            return Err(self.too_much(at, &format!("values are nested at most {DEPTH} deep")));
        }
        self.values += 1;
        let pointer = self.open_place(at);
        self.stack.push(Frame { open, pointer, anchor });
        Ok(())
    }

    /// Notes where the next value stands; its pointer.
    fn open_place(&mut self, at: Marker) -> String {
        let pointer = match self.stack.last() {
            None => String::new(),
            Some(Frame { open: Open::List(items), pointer, .. }) => format!("{pointer}/{}", items.len()),
            Some(Frame { open: Open::Map(_, key), pointer, .. }) => {
                let key = key.as_ref().map_or("", |(key, _)| key.as_str());
                format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
            }
        };
        self.read.places.insert(pointer.clone(), place(at));
        pointer
    }

    fn put(&mut self, value: Value, size: usize, at: Marker) -> Result<(), Problem> {
        // Counted before it is copied into its place: aliases of aliases grow fast.
        self.values += size;
        if self.values > VALUES {
            return Err(self.too_much(at, &format!("a document has at most {VALUES} values, with what aliases repeat")));
        }
        match self.stack.last_mut() {
            None => self.read.value = value,
            Some(Frame { open: Open::List(items), .. }) => items.push(value),
            Some(Frame { open: Open::Map(map, key), .. }) => match key.take() {
                // `<<: *base` takes the keys that the map itself doesn't say.
                Some((_, true)) => match value {
                    Value::Object(base) => base.into_iter().for_each(|(key, value)| {
                        map.entry(key).or_insert(value);
                    }),
                    _ => return Err(self.wrong(at, "`<<` has to be a map")),
                },
                Some((key, _)) => _ = map.insert(key, value),
                None => return Err(self.wrong(at, "a key has to be text")),
            },
        }
        Ok(())
    }

    fn keep(&mut self, anchor: usize, value: &Value, size: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), size));
        }
    }

    fn wrong(&self, at: Marker, why: &str) -> Problem {
        let Place { line, column } = place(at);
        Problem::new(Code::InvalidInput, format!("{}:{line}:{column}: {why}", self.what))
            .data(json!({ "line": line, "column": column, "reason": "syntax" }))
            .no_effect()
    }

    fn too_much(&self, at: Marker, why: &str) -> Problem {
        Problem { code: Code::LimitExceeded, ..self.wrong(at, why) }
    }
}

fn place(at: Marker) -> Place {
    Place { line: at.line().max(1), column: at.col() + 1 }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// What a scalar means, by the core schema of YAML 1.2: `no` and `1:30` are text.
fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    if style != ScalarStyle::Plain || core == Some("str") {
        return Ok(Value::String(text.into_owned()));
    }
    if let Some(tag) = tag.filter(|_| core.is_none()) {
        return Err(format!("the tag {}{} isn't known here", tag.handle, tag.suffix));
    }
    Ok(match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        plain => number(plain).unwrap_or_else(|| Value::String(plain.to_owned())),
    })
}

fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(Value::from);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return i64::from_str_radix(octal, 8).ok().map(Value::from);
    }
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.trim_start_matches('+').parse::<i64>().ok().map(Value::from);
    }
    let is_float = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let found = is_float.then(|| text.parse::<f64>().ok())??;
    Number::from_f64(found).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        read("t", text).unwrap().value
    }

    fn refusal(text: &str) -> Problem {
        read("t", text).unwrap_err()
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml = "name: demo\nlist: [1, 2.5, 0x10, no, ~, 'yes', 1:30]\ntext: |\n  a\n  b\nmap: {a: true}\n";
        let expected = json!({ "name": "demo", "list": [1, 2.5, 16, "no", null, "yes", "1:30"], "text": "a\nb\n", "map": { "a": true } });
        assert_eq!(value(yaml), expected);
        assert_eq!(value(&expected.to_string()), expected);
        assert_eq!(value(&serde_json::to_string_pretty(&expected).unwrap()), expected);
        // What looks like a number and isn't one stays text: versions, addresses, hardware addresses.
        assert_eq!(
            value("[1.2.3, 10.0.0.1, 02:00:00:00:00:01, 1-2, .]"),
            json!(["1.2.3", "10.0.0.1", "02:00:00:00:00:01", "1-2", "."])
        );
    }

    #[test]
    fn every_part_has_a_place() {
        let read = read("t", "name: demo\nnodes:\n  - name: r1\n    image: frr\n  - name: r2\n").unwrap();
        assert_eq!(read.place("/nodes/1/name"), Some(Place { line: 5, column: 11 }));
        assert_eq!(read.place("/nodes/0/nothing/here"), Some(Place { line: 3, column: 5 }));
        assert_eq!(read.place(""), Some(Place { line: 1, column: 1 }));
    }

    #[test]
    fn anchors_repeat_within_bounds() {
        assert_eq!(
            value("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}"),
            json!({ "a": { "b": 1 }, "c": { "b": 1 }, "d": { "b": 1, "e": 2 } })
        );
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            bomb += &format!("a{level}: &a{level} [{below}]\n");
        }
        let problem = refusal(&bomb);
        assert_eq!(problem.code, Code::LimitExceeded);
        assert!(problem.message.contains("aliases"), "{}", problem.message);
        assert_eq!(refusal(&format!("{}1{}", "[".repeat(40), "]".repeat(40))).code, Code::LimitExceeded);
        assert_eq!(refusal(&"x".repeat(TEXT_BYTES + 1)).code, Code::LimitExceeded);
        assert!(refusal("a: &a [*a]").message.contains("inside"), "an alias of what it is in");
    }

    #[test]
    fn mistakes_say_where() {
        for (text, begins) in [
            ("a: 1\nb: [1, 2", "t:"),
            ("a: 1\na: 2\n", "t:2:1: the key `a` is there twice"),
            ("a: 1\nb: !secret x\n", "t:2:4: the tag"),
            ("? [1]\n: 2\n", "t:1:3: a key has to be text"),
            ("", "t is empty"),
            ("a: 1\n---\nb: 2\n", "t holds several"),
            ("a: *b", "t:1:"),
        ] {
            let problem = refusal(text);
            assert!(problem.message.starts_with(begins), "{text:?}: {}", problem.message);
            assert_eq!(problem.code, Code::InvalidInput, "{text:?}");
        }
    }

    #[test]
    fn arbitrary_text_never_panics() {
        let pieces = [
            "a", ":", " ", "\n", "-", "[", "]", "{", "}", "&x", "*x", "!", "|", ">", "'", "\"", "#", "?", "\t", "é",
            "---", "<<", ",",
        ];
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text += pieces[(state >> 33) as usize % pieces.len()];
            }
            _ = read("t", &text);
        }
    }
}
