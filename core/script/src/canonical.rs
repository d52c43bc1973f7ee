//! Values between scripts and journals: canonical JSON of a `Dynamic`, and deep copies that share nothing.

use std::io::Write;

use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString, Map};
use serde_json::Value;
use windlass_model::{Code, Problem};

use crate::secret::Secret;

/// Deepest nesting of a value that crosses between scripts and the host.
pub(crate) const MAX_DEPTH: u32 = 64;

/// Whether secrets may stand in a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// As `{"$secret": …}`: arguments of ops.
    Named,
    /// Not at all: whatever is stored or shown.
    Refused,
}

/// Appends the value as JSON: maps sorted, floats shortest, at most `limit_bytes` in all.
pub(crate) fn write(value: &Dynamic, out: &mut Vec<u8>, secrets: Secrets, limit_bytes: usize) -> Result<(), Problem> {
    Writer { out, secrets, limit_bytes }.value(value, 0)
}

/// The value as JSON text.
pub(crate) fn text(value: &Dynamic, secrets: Secrets, limit_bytes: usize) -> Result<String, Problem> {
    let mut out = Vec::with_capacity(64);
    write(value, &mut out, secrets, limit_bytes)?;
    String::from_utf8(out).map_err(|error| Problem::new(Code::Internal, error.to_string()))
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    secrets: Secrets,
    limit_bytes: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Dynamic, depth: u32) -> Result<(), Problem> {
        if depth > MAX_DEPTH {
            return Err(refuse("is nested too deeply, or contains itself"));
        }
        if self.out.len() > self.limit_bytes {
            return Err(too_large(self.limit_bytes));
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            self.string(&text)
        } else if let Ok(number) = value.as_int() {
            write!(self.out, "{number}").map_err(internal)
        } else if let Ok(map) = value.as_map_ref() {
            self.map(&map, depth)
        } else if let Ok(array) = value.as_array_ref() {
            self.items(array.iter(), depth)
        } else if value.is_unit() {
            self.raw(b"null")
        } else if let Ok(truth) = value.as_bool() {
            self.raw(if truth { b"true" } else { b"false" })
        } else if let Ok(number) = value.as_float() {
            if !number.is_finite() {
                return Err(refuse("is a number without a value (NaN or infinite)"));
            }
            serde_json::to_writer(&mut *self.out, &number).map_err(internal)
        } else {
            self.rare(value)
        }
    }

    fn rare(&mut self, value: &Dynamic) -> Result<(), Problem> {
        if let Ok(letter) = value.as_char() {
            return self.string(letter.encode_utf8(&mut [0; 4]));
        }
        if let Some(secret) = value.read_lock::<Secret>() {
            if self.secrets == Secrets::Refused {
                return Err(Problem::new(Code::SecretMisuse, "a secret can't be stored, returned or shown")
                    .help("Hand it to an operation that takes secrets; only operations see its value.")
                    .no_effect());
            }
            let text = secret.reference();
            return self.raw(text.as_bytes());
        }
        if let Some(bytes) = value.read_lock::<Blob>() {
            return serde_json::to_writer(&mut *self.out, &*bytes).map_err(internal);
        }
        if value.is_fnptr() {
            return Err(refuse("is a closure"));
        }
        Err(refuse(&format!("is a `{}`", value.type_name())))
    }

    fn map(&mut self, map: &Map, depth: u32) -> Result<(), Problem> {
        self.out.push(b'{');
        for (index, (key, value)) in map.iter().enumerate() {
            if key == "$secret" {
                return Err(Problem::new(Code::SecretMisuse, "a map can't have the key `$secret`")
                    .help("Use `secret(\"name\")` for a secret.")
                    .no_effect());
            }
            if index > 0 {
                self.out.push(b',');
            }
            self.string(key)?;
            self.out.push(b':');
            self.value(value, depth + 1)?;
        }
        self.raw(b"}")
    }

    fn items<'v>(&mut self, items: impl Iterator<Item = &'v Dynamic>, depth: u32) -> Result<(), Problem> {
        self.out.push(b'[');
        for (index, value) in items.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(value, depth + 1)?;
        }
        self.raw(b"]")
    }

    fn string(&mut self, text: &str) -> Result<(), Problem> {
        serde_json::to_writer(&mut *self.out, text).map_err(internal)
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

fn refuse(what: &str) -> Problem {
    Problem::new(Code::InvalidArgument, format!("a value {what}, which JSON can't say")).no_effect()
}

/// What a value that is over `step_bytes` causes.
pub(crate) fn too_large(limit_bytes: usize) -> Problem {
    Problem::new(Code::LimitExceeded, format!("a value is larger than {limit_bytes} bytes"))
        .help("The bound is `step_bytes`. Store large things with `artifact` and pass their name.")
        .no_effect()
}

fn internal(error: impl std::fmt::Display) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}

/// The JSON of any value, for people: what JSON can't say stands as its type's name in brackets.
pub(crate) fn lossy(value: &Dynamic) -> Value {
    lossy_at(value, 0)
}

fn lossy_at(value: &Dynamic, depth: u32) -> Value {
    if depth > 16 {
        return "[…]".into();
    }
    if let Ok(array) = value.as_array_ref() {
        return array.iter().map(|item| lossy_at(item, depth + 1)).collect();
    }
    if let Ok(map) = value.as_map_ref() {
        return map.iter().map(|(key, item)| (key.to_string(), lossy_at(item, depth + 1))).collect();
    }
    if value.is::<Secret>() {
        return "[secret]".into();
    }
    text(value, Secrets::Refused, usize::MAX)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_else(|| format!("[{}]", value.type_name()).into())
}

/// The value that JSON text stands for. Small scalars don't go through the parser.
pub(crate) fn parse(text: &str) -> Result<Dynamic, Problem> {
    match text {
        "null" => Ok(Dynamic::UNIT),
        "true" => Ok(Dynamic::TRUE),
        "false" => Ok(Dynamic::FALSE),
        _ => serde_json::from_str(text).map_err(internal),
    }
}

/// Canonical JSON text of a value: keys sorted, whatever the map's own order.
pub(crate) fn value_text(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_value(item, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// A deep copy that cuts every shared cell, so that a branch neither sees nor makes changes outside itself.
pub(crate) fn isolate(value: &Dynamic, depth: u32) -> Result<Dynamic, Problem> {
    if depth > 16 {
        return Err(refuse("that a closure uses is nested too deeply, or contains itself"));
    }
    if let Ok(array) = value.as_array_ref() {
        return array
            .iter()
            .map(|item| isolate(item, depth + 1))
            .collect::<Result<Array, _>>()
            .map(Dynamic::from_array);
    }
    if let Ok(map) = value.as_map_ref() {
        let copy = map.iter().map(|(key, item)| Ok((key.clone(), isolate(item, depth + 1)?)));
        return copy.collect::<Result<Map, Problem>>().map(Dynamic::from_map);
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        let mut copy = function.clone();
        for captured in copy.iter_curry_mut() {
            *captured = isolate(captured, depth + 1)?;
        }
        return Ok(Dynamic::from(copy));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Dynamic::from(ImmutableString::clone(&text)));
    }
    let copy = value.flatten_clone();
    if copy.is_shared() { Err(refuse("is in use")) } else { Ok(copy) }
}

/// A closure with its own copies of what it captured.
pub(crate) fn isolate_closure(closure: &FnPtr) -> Result<FnPtr, Problem> {
    let mut copy = closure.clone();
    for captured in copy.iter_curry_mut() {
        *captured = isolate(captured, 0)?;
    }
    Ok(copy)
}
