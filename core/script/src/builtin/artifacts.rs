//! Files that belong to a run.

use base64::Engine as _;
use rhai::{Blob, Dynamic};
use serde_json::json;
use windlass_model::{Code, EffectClass, Problem, journal::LocalEffect};

use super::{Builtin, Call};
use crate::{
    host::{Kind, Param, Permission},
    throw::Halt,
};

const MAX_BYTES: usize = 16 << 20;

pub(super) fn all() -> Vec<Builtin> {
    vec![Builtin {
        name: "artifact",
        doc: "Keeps text or bytes under a name, for people to download; at most 16 MiB. Gives `#{ name, bytes, digest }` (blake3, hex).",
        params: const {
            &[
                Param::required("name", Kind::String, "unique in the run, such as `report.txt`"),
                Param::required("content", Kind::Any, "text, a blob, or bytes as `#{ base64: text }`"),
                Param::optional(
                    "media_type",
                    Kind::String,
                    "default `text/plain` for text, `application/octet-stream` for blobs",
                ),
            ]
        },
        returns: "#{ name: string, bytes: int, digest: string }",
        permission: Permission::Free,
        example: "let kept = artifact(\"report.txt\", \"all is well\\n\"); ensure(kept.bytes == 12, \"twelve bytes\");",
        run: artifact,
    }]
}

/// Bytes that an op has given as text.
fn decoded(map: &rhai::Map) -> Option<Vec<u8>> {
    let text = map.get("base64").filter(|_| map.len() == 1)?.as_immutable_string_ref().ok()?;
    base64::engine::general_purpose::STANDARD.decode(text.as_bytes()).ok()
}

fn artifact(call: &Call) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    let name = call.text(0)?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if name.is_empty()
        || name.len() > 200
        || !name.bytes().all(known)
        || name.split('/').any(|part| part.is_empty() || part == "..")
    {
        return Err(call.invalid("needs a name of letters, digits, `.`, `_`, `-` and `/`, at most 200 bytes").into());
    }
    let given = call.args.get(1).ok_or_else(|| call.wrong(1, "text or a blob"))?;
    let (content, default_type) = if let Ok(text) = given.as_immutable_string_ref() {
        (run.scrubber.text(&text).into_bytes(), "text/plain")
    } else if let Some(bytes) = given.read_lock::<Blob>() {
        (bytes.clone(), "application/octet-stream")
    } else if let Some(bytes) = given.read_lock::<rhai::Map>().and_then(|map| decoded(&map)) {
        (bytes, "application/octet-stream")
    } else {
        return Err(call.wrong(1, "text, a blob, or `#{ base64: text }`").into());
    };
    if content.len() > MAX_BYTES {
        return Err(Problem::new(Code::LimitExceeded, format!("an artifact has at most {MAX_BYTES} bytes"))
            .no_effect()
            .into());
    }
    let media_type = if call.arg(2).is_some() { call.name(2)? } else { default_type.to_owned() };
    // The step's arguments hold the content's digest, not the content: that is enough to notice a change.
    let digest = blake3::hash(&content).to_hex().to_string();
    let args = json!([name, { "bytes": content.len(), "digest": digest }, media_type]).to_string();
    call.local(EffectClass::Idempotent, &args, || LocalEffect::Artifact { name, media_type, content })
}
