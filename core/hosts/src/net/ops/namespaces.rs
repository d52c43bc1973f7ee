//! Namespaces: a node of a lab each.

use serde_json::{Value, json};
use windlass_model::{Problem, ResourceChange};
use windlass_script::host::{Kind, Op, Param, Undo};

use super::{
    super::{
        construct::{construct, space_report},
        plan::{NamespaceSpec, Plan},
        remove,
    },
    Draft, LAB, Machine, making, names_in, reading, removing, resource,
};

const NAME: Param = Param::required("name", Kind::String, "What the lab calls it: `r1`.");
const NAMES: Param = Param::required("names", Kind::Array, "What the lab calls them: `[\"r1\", \"r2\"]`.");
const RETURNS: &str = "#{ name: string, namespace: string, path: string, node: int }";

pub fn ops(machine: &Machine) -> Vec<Op> {
    vec![
        making(
            machine,
            Draft {
                name: "create_namespace",
                doc: "Makes a network namespace with its `lo` up. `namespace` is its name for `ip netns` and for \
                      `exec::run`'s option, `path` the file that it is mounted on, `node` its number in kernel names.\n\n\
                      Done twice by the same run, it is done once. `conflict`: there is one that another run, or \
                      another program, made.",
                params: &[LAB, NAME],
                returns: RETURNS,
                example: "let r1 = net::create_namespace(\"demo\", \"r1\"); ensure(r1.name == \"r1\", \"named\"); r1.namespace",
                body: |lab, _, args| {
                    let namespaces = vec![spec(args.get("name"))?];
                    Ok(construct(lab, &Plan { namespaces, ..Plan::default() })?["namespaces"][0].take())
                },
            },
            Undo::Op { name: "delete_namespace", args: |args| args.values().to_vec() },
            |args| vec![ResourceChange::Creates(resource(args, "namespace", args.str("name")))],
        ),
        making(
            machine,
            Draft {
                name: "create_namespaces",
                doc: "Makes several namespaces as one step: all of them, or none. As `create_namespace` otherwise.",
                params: &[LAB, NAMES],
                returns: "array of #{ name: string, namespace: string, path: string, node: int }",
                example: "let nodes = net::create_namespaces(\"demo\", [\"r1\", \"r2\"]); ensure(nodes.len() == 2, \"both\"); nodes",
                body: |lab, _, args| {
                    let namespaces: Vec<NamespaceSpec> = args.read("names")?;
                    Ok(construct(lab, &Plan { namespaces, ..Plan::default() })?["namespaces"].take())
                },
            },
            Undo::Op { name: "delete_namespaces", args: |args| args.values().to_vec() },
            |args| {
                names_in(args, "names").map(|name| ResourceChange::Creates(resource(args, "namespace", name))).collect()
            },
        ),
        removing(
            machine,
            Draft {
                name: "delete_namespace",
                doc: "Removes a namespace of the lab with everything in it, and the links to it. One that isn't there is \
                      removed already. `conflict`: it isn't the lab's.",
                params: &[LAB, NAME],
                returns: "()",
                example: "net::create_namespace(\"demo\", \"r1\"); net::delete_namespace(\"demo\", \"r1\"); net::delete_namespace(\"demo\", \"r1\");",
                body: |lab, _, args| delete(lab, &[spec(args.get("name"))?]),
            },
            |args| vec![ResourceChange::Destroys(resource(args, "namespace", args.str("name")))],
        ),
        removing(
            machine,
            Draft {
                name: "delete_namespaces",
                doc: "Removes several namespaces. As `delete_namespace` otherwise.",
                params: &[LAB, NAMES],
                returns: "()",
                example: "net::create_namespaces(\"demo\", [\"r1\", \"r2\"]); net::delete_namespaces(\"demo\", [\"r1\", \"r2\"]);",
                body: |lab, _, args| delete(lab, &args.read::<Vec<NamespaceSpec>>("names")?),
            },
            |args| {
                names_in(args, "names")
                    .map(|name| ResourceChange::Destroys(resource(args, "namespace", name)))
                    .collect()
            },
        ),
        reading(
            machine,
            Draft {
                name: "list_namespaces",
                doc: "The lab's namespaces, sorted by name.",
                params: &[LAB],
                returns: "array of #{ name: string, namespace: string, path: string, node: int }",
                example: "net::create_namespace(\"demo\", \"r1\"); net::list_namespaces(\"demo\")[0].name",
                body: |lab, _, _| {
                    let spaces: Vec<_> = lab.view()?.spaces.into_values().collect();
                    let whose = lab.whose_spaces(&spaces)?;
                    let ours = spaces.iter().zip(whose).filter(|(_, whose)| whose.is_ours());
                    Ok(ours.map(|(space, _)| space_report(space)).collect())
                },
            },
        ),
    ]
}

fn delete(lab: &super::Lab<'_>, specs: &[NamespaceSpec]) -> Result<Value, Problem> {
    let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    remove::spaces(lab, &lab.view()?, &names)?;
    Ok(Value::Null)
}

fn spec(name: &Value) -> Result<NamespaceSpec, Problem> {
    serde_json::from_value(json!({ "name": name })).map_err(|error| super::super::plan::invalid(error.to_string()))
}
