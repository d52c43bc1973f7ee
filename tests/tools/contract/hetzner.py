#!/usr/bin/env python3
"""Makes tests/data/hetzner-cloud.json out of the published OpenAPI document of Hetzner Cloud.

    tests/tools/contract/hetzner.py hetzner-cloud.openapi.json > tests/data/hetzner-cloud.json

What stays: for each path that is simulated the query parameters, the body's schema and the schemas of the answers, as JSON
Schema 2020-12. What goes: prose, examples, products that aren't simulated, and `datacenter`, which is still required by the
document and was taken out of the answers in October 2026. And `assignee_type` of a new primary IP isn't needed any more, as the
official client doesn't send it; and the deletion of a load balancer is answered with an action, which that client reads.
"""
import json
import sys

LEFT_OUT = ("/storage_box", "/certificates", "/floating_ips", "/datacenters")
WORDS = {"description", "example", "examples", "title", "x-codeSamples", "externalDocs", "deprecated", "discriminator"}
GONE = "datacenter"


def schema(node):
    """A schema of OpenAPI 3.0 as JSON Schema, without prose."""
    if isinstance(node, list):
        return [schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {}
    for key, value in node.items():
        if key in WORDS and not isinstance(value, dict) or key in ("nullable", "format") or key.startswith("x-"):
            continue
        if key in ("example", "examples", "externalDocs", "discriminator"):
            continue
        if key == "$ref":
            made[key] = value.replace("#/components/schemas/", "#/$defs/")
        elif key in ("properties",):
            made[key] = {name: schema(inner) for name, inner in value.items() if name != GONE}
        elif key == "required":
            made[key] = [name for name in value if name != GONE]
        elif key in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool):
            continue
        else:
            made[key] = schema(value)
    if node.get("nullable"):
        if isinstance(made.get("type"), str) and "enum" not in made:
            made["type"] = [made["type"], "null"]
        else:
            made = {"anyOf": [made, {"type": "null"}]}
    return made


def content(node):
    for value in node.get("content", {}).values():
        return schema(value["schema"])
    return None


def references(node, found):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                found.add(value.rsplit("/", 1)[1])
            else:
                references(value, found)
    elif isinstance(node, list):
        for item in node:
            references(item, found)


def main():
    document = json.load(open(sys.argv[1], encoding="utf-8"))
    paths = {}
    for path, operations in document["paths"].items():
        if path.startswith(LEFT_OUT):
            continue
        kept = {}
        for method, operation in operations.items():
            if method not in ("get", "post", "put", "delete"):
                continue
            query = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            answers = {status: content(answer) for status, answer in operation["responses"].items()}
            if (method, path) == ("delete", "/load_balancers/{id}"):
                answers = {"200": {"$ref": "#/$defs/delete_server_response"}, **{k: v for k, v in answers.items() if k != "204"}}
            kept[method] = {"query": query, "request": content(operation.get("requestBody", {})), "responses": answers}
        paths[path] = kept
    definitions, wanted = {}, set()
    references(paths, wanted)
    while wanted:
        name = wanted.pop()
        if name not in definitions:
            definitions[name] = schema(document["components"]["schemas"][name])
            if name == "create_primary_ip_request":
                definitions[name]["required"].remove("assignee_type")
            references(definitions[name], wanted)
    trimmed = {"$defs": dict(sorted(definitions.items())), "paths": paths}
    json.dump(trimmed, sys.stdout, ensure_ascii=False, separators=(",", ":"), sort_keys=False)
    sys.stdout.write("\n")


main()
