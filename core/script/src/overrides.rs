//! Replaces functions of Rhai's standard package that can hang or kill the process, under the same signatures.

use rhai::{Dynamic, FuncRegistration, ImmutableString, Map, Module, NativeCallContext, Position};
use windlass_model::{Code, Problem};

use crate::{
    canonical,
    canonical::Secrets,
    throw::{Returned, raise},
};

/// The replacements. Registered after the standard package, they are found first.
pub(crate) fn module() -> Module {
    let mut module = Module::new();
    let global = |name: &'static str| FuncRegistration::new(name).in_global_namespace();

    // `replace` allocates the whole result before any limit is looked at.
    global("replace").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &mut ImmutableString, find: &str, put: &str| {
            replace(&context, text, find, put)
        },
    );
    global("replace").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &mut ImmutableString, find: &str, put: char| {
            replace(&context, text, find, put.encode_utf8(&mut [0; 4]))
        },
    );
    global("replace").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &mut ImmutableString, find: char, put: &str| {
            replace(&context, text, find.encode_utf8(&mut [0; 4]), put)
        },
    );

    // `pad` with an empty text never ends.
    global("pad").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &mut ImmutableString, length: i64, padding: &str| {
            pad(&context, text, length, padding)
        },
    );

    // `to_json` of a map that holds a closure which holds the map never ends.
    global("to_json").set_into_module(&mut module, |context: NativeCallContext, map: Map| -> Returned<String> {
        let limit = context.engine().max_string_size();
        canonical::text(&Dynamic::from_map(map), Secrets::Refused, limit).map_err(refused)
    });

    // Results with more items than an array may have are refused before they are made.
    global("split").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &mut ImmutableString, delimiter: &str| -> Returned<rhai::Array> {
            let parts =
                if delimiter.is_empty() { text.chars().count() + 2 } else { text.matches(delimiter).count() + 1 };
            check_items(&context, parts)?;
            Ok(text.split(delimiter).map(|part| part.to_owned().into()).collect())
        },
    );
    global("split").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &mut ImmutableString, delimiter: char| -> Returned<rhai::Array> {
            check_items(&context, text.matches(delimiter).count() + 1)?;
            Ok(text.split(delimiter).map(|part| part.to_owned().into()).collect())
        },
    );
    global("split").set_into_module(
        &mut module,
        |context: NativeCallContext, text: &mut ImmutableString| -> Returned<rhai::Array> {
            check_items(&context, text.split_whitespace().count())?;
            Ok(text.split_whitespace().map(|part| part.to_owned().into()).collect())
        },
    );
    for name in ["to_chars", "chars_array"] {
        global(name).set_into_module(
            &mut module,
            |context: NativeCallContext, text: &mut ImmutableString| -> Returned<rhai::Array> {
                check_items(&context, text.chars().count())?;
                Ok(text.chars().map(Dynamic::from).collect())
            },
        );
    }

    // `exit` would end the script from inside a library, past its undo.
    global("exit").set_into_module(&mut module, || -> Returned { Err(no_exit()) });
    global("exit").set_into_module(&mut module, |_: Dynamic| -> Returned { Err(no_exit()) });
    module
}

fn replace(context: &NativeCallContext, text: &mut ImmutableString, find: &str, put: &str) -> Returned<()> {
    // Nothing to find would mean: between all letters.
    if find.is_empty() {
        return Ok(());
    }
    let count = text.matches(find).count();
    let length = (text.len() - count * find.len()).saturating_add(count.saturating_mul(put.len()));
    check_length(context, length)?;
    if count > 0 {
        *text = text.replace(find, put).into();
    }
    Ok(())
}

fn pad(context: &NativeCallContext, text: &mut ImmutableString, length: i64, padding: &str) -> Returned<()> {
    let Ok(length) = usize::try_from(length) else { return Ok(()) };
    let (have, step) = (text.chars().count(), padding.chars().count());
    if length <= have || step == 0 {
        return Ok(());
    }
    let times = (length - have).div_ceil(step);
    check_length(context, text.len().saturating_add(times.saturating_mul(padding.len())))?;
    *text = format!("{text}{}", padding.repeat(times)).into();
    Ok(())
}

fn check_length(context: &NativeCallContext, length: usize) -> Returned<()> {
    let limit = context.engine().max_string_size();
    if limit > 0 && length > limit {
        return Err(rhai::EvalAltResult::ErrorDataTooLarge("Length of string".into(), Position::NONE).into());
    }
    Ok(())
}

fn check_items(context: &NativeCallContext, items: usize) -> Returned<()> {
    let limit = context.engine().max_array_size();
    if limit > 0 && items > limit {
        return Err(rhai::EvalAltResult::ErrorDataTooLarge("Size of array".into(), Position::NONE).into());
    }
    Ok(())
}

fn refused(problem: Problem) -> Box<rhai::EvalAltResult> {
    raise(problem.into(), Position::NONE)
}

fn no_exit() -> Box<rhai::EvalAltResult> {
    refused(
        Problem::new(Code::ScriptError, "`exit` isn't available")
            .help("Return from `run(input)`, or end with an error: `fail(\"why\")`."),
    )
}
