//! `secret(name)`: an opaque handle. What may be done with it is declared in `secret.rs`.

use rhai::Dynamic;

use super::{Builtin, Call};
use crate::{
    host::{Args, Kind, Param, Permission},
    meter,
    secret::Secret,
    throw::Halt,
};

fn name_scope(args: &Args) -> Vec<String> {
    vec![args.str("name").to_owned()]
}

pub(super) fn all() -> Vec<Builtin> {
    vec![Builtin {
        name: "secret",
        doc: "A secret by its name. It can't be printed, compared, stored or returned; operations that take secrets see its value, if the secret's policy allows where they send it. `+` with text, `base64(s)`, `url_encode(s)`, `hmac_sha256(s, text)` and `secret_format(\"Bearer {}\", s)` give secrets again. Needs `secret.use:NAME`.",
        params: const { &[Param::required("name", Kind::String, "the secret's name")] },
        returns: "Secret",
        permission: Permission::Needs { verb: "secret.use", scope: name_scope, words: "use secrets called" },
        example: "let token = \"Bearer \" + secret(\"examples/token\"); ensure(type_of(token) == \"Secret\", \"still a secret\");",
        run: secret,
    }]
}

fn secret(call: &Call) -> Result<Dynamic, Halt> {
    let run = call.start()?;
    let name = call.text(0)?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte);
    if name.is_empty() || name.len() > 200 || !name.bytes().all(known) {
        return Err(call.invalid("needs a name of letters, digits, `.`, `_`, `-`, `/` and `:`").into());
    }
    call.permit(&run)?;
    Ok(meter::seen(|| Dynamic::from(Secret::named(&name))))
}
