//! `windlass runs approve` and `windlass runs deny`

use serde_json::{Value, json};
use windlass_model::{
    Code, Problem, RunId,
    wait::{ApprovalRequest, Decision},
};

use super::{steer::step, written};
use crate::{commands::input, context::Context, desk::Desk, exit::Exit, values};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run, or the beginning of its id
    run: String,
    /// The step, when the run asks several things at once
    #[arg(long)]
    step: Option<String>,
    /// The role that you decide in, if the run asks for one: in a data folder nobody but you vouches for it, a server knows
    #[arg(long)]
    role: Option<String>,
    /// Why
    #[arg(long, short = 'm')]
    comment: Option<String>,
    /// Fill in one field of the form: key=value
    #[arg(long = "set", short = 's', value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// JSON file with the form; `-` for standard input
    #[arg(long, value_name = "FILE")]
    form: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args, approved: bool, context: &Context, desk: &dyn Desk) -> Result<Exit, Problem> {
    let engine = desk;
    let run = engine.find(&args.run)?.id;
    let path = args.step.as_deref().map(step).transpose()?;
    let approval = engine.open_approval(&run, path.as_ref())?;
    if engine.knows_roles() && args.role.is_some() {
        return Err(Problem::new(Code::Usage, "a server knows which roles you hold").help("leave --role out"));
    }
    if !engine.knows_roles() {
        check_role(&run, &approval.request, args.role.as_deref())?;
    }
    let schema = form_schema(&approval.request);
    let mut form = input::from_file(args.form.as_deref())?;
    values::apply(&mut form, &args.set, &schema, "the form has no field")?;
    values::fill_defaults(&mut form, &schema);
    let decision = Decision {
        by: context.who(),
        approved,
        comment: if engine.knows_roles() { args.comment.clone() } else { comment(args, &approval.request) },
        form,
        digest: approval.request.digest.clone(),
    };
    engine.decide(&run, &approval.path, decision)?;
    written(context, desk, &run, if approved { "approved" } else { "denied" })
}

/// The command line knows no roles, as everybody who can write to the data folder may do everything. The role has to be
/// named all the same: nobody takes on somebody else's decision by accident, and the record says who did.
fn check_role(run: &RunId, request: &ApprovalRequest, given: Option<&str>) -> Result<(), Problem> {
    match &request.role {
        Some(role) if given != Some(role) => Err(Problem::new(
            Code::PermissionDenied,
            format!("only the role `{role}` may decide on \"{}\"", request.title),
        )
        .help(format!("if that is you: windlass runs approve {run} --role {role}"))),
        _ => Ok(()),
    }
}

/// The role stands in the comment, and not with the name: by their names people are told apart.
fn comment(args: &Args, request: &ApprovalRequest) -> Option<String> {
    let role = request.role.as_deref().map(|role| format!("as {role}"));
    let parts: Vec<String> = role.into_iter().chain(args.comment.clone()).collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// The form's schema. What it doesn't speak of is a slip of the fingers, unless it says otherwise.
fn form_schema(request: &ApprovalRequest) -> Value {
    let mut schema = request.form.clone().unwrap_or_else(|| json!({ "properties": {} }));
    if let Some(map) = schema.as_object_mut().filter(|map| map.contains_key("properties")) {
        map.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    schema
}
