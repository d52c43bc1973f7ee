// Shows the OpenAPI document: operations by group, with parameters, bodies, answers, and a line for curl.
"use strict";

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

const name = (reference) => reference.split("/").pop();

// A schema in a line: `string`, `Run`, `array of Run`, `"a" | "b"`.
function words(schema) {
  if (!schema || Object.keys(schema).length === 0) return "anything";
  if (schema.$ref) return name(schema.$ref);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const choices = schema.anyOf || schema.oneOf;
  if (choices) return choices.map(words).join(" | ");
  const types = [].concat(schema.type || "anything").map((type) => (type === "array" ? `array of ${words(schema.items)}` : type));
  return types.join(" | ") + (schema.format ? ` (${schema.format})` : "");
}

function fields(schema, all, depth = 0) {
  const target = schema.$ref ? all[name(schema.$ref)] : schema;
  if (!target || !target.properties || depth > 2) return null;
  const required = target.required || [];
  const list = make("dl");
  for (const [key, property] of Object.entries(target.properties)) {
    list.append(
      make("dt", {}, make("code", { textContent: key }), ` ${words(property)}`, required.includes(key) ? make("em", { textContent: " required" }) : null),
      make("dd", {}, property.description || "", nested(property, all, depth)),
    );
  }
  return list;
}

function nested(property, all, depth) {
  const inner = property.items || property;
  const target = inner.$ref ? all[name(inner.$ref)] : null;
  if (!target || !target.properties || depth > 1) return null;
  return make("details", {}, make("summary", { textContent: name(inner.$ref) }), fields(inner, all, depth + 1));
}

function curl(method, path, operation) {
  const line = [`curl -X ${method.toUpperCase()} '${location.origin}${path}'`];
  if (operation.security?.length) line.push(`-H "Authorization: Bearer $TOKEN"`);
  const media = Object.keys(operation.requestBody?.content || {})[0];
  if (media) line.push(`-H 'Content-Type: ${media}'`, "-d @-");
  return line.join(" \\\n  ");
}

function section(title, ...content) {
  const filled = content.filter(Boolean);
  return filled.length ? make("section", {}, make("h4", { textContent: title }), ...filled) : null;
}

function body(method, path, operation, all) {
  const parameters = make("dl");
  for (const parameter of operation.parameters) {
    parameters.append(
      make("dt", {}, make("code", { textContent: parameter.name }), ` ${parameter.in} · ${words(parameter.schema)}`, parameter.required ? make("em", { textContent: " required" }) : null),
      make("dd", { textContent: parameter.description || "" }),
    );
  }
  const sent = Object.entries(operation.requestBody?.content || {}).map(([media, content]) =>
    make("div", {}, make("p", { textContent: `${media}: ${words(content.schema)}` }), fields(content.schema, all)));
  const answers = Object.entries(operation.responses).map(([status, response]) => {
    const kinds = Object.entries(response.content || {}).map(([media, content]) =>
      make("div", {}, make("p", { textContent: `${media}: ${words(content.schema)}` }), status < 300 ? fields(content.schema, all) : null));
    return make("details", { open: status < 300 }, make("summary", { textContent: `${status} ${response.description}` }), ...kinds);
  });
  return [
    operation.description ? make("p", { textContent: operation.description }) : null,
    operation["x-permission"] ? make("p", { className: "permission", textContent: `needs the permission ${operation["x-permission"]}` }) : null,
    operation.parameters.length ? section("Parameters", parameters) : null,
    section("Body", ...sent),
    section("Answers", ...answers),
    section("Try it", make("pre", { tabIndex: 0 }, make("code", { textContent: curl(method, path, operation) }))),
  ];
}

function show(openapi) {
  const groups = new Map(openapi.tags.map((tag) => [tag.name, []]));
  for (const [path, methods] of Object.entries(openapi.paths)) {
    for (const [method, operation] of Object.entries(methods)) groups.get(operation.tags[0]).push({ path, method, operation });
  }
  document.getElementById("about").textContent = `${openapi.info.summary} ${openapi.info.description}`;
  const main = document.getElementById("operations");
  const index = document.getElementById("groups");
  for (const [group, operations] of groups) {
    index.append(make("a", { href: `#${group}`, textContent: `${group} (${operations.length})` }));
    const block = make("section", { id: group, className: "group" }, make("h2", { textContent: group }));
    for (const { path, method, operation } of operations) {
      const details = make("details", { id: operation.operationId, className: "operation" });
      details.append(make("summary", {},
        make("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
        make("code", { textContent: path }),
        make("span", { className: "summary", textContent: operation.summary })));
      details.dataset.words = `${method} ${path} ${operation.summary} ${operation["x-permission"] || ""}`.toLowerCase();
      // What is inside is made when it is opened: the page is there at once.
      const fill = () => details.childElementCount === 1 && details.append(...body(method, path, operation, openapi.components.schemas).filter(Boolean));
      details.addEventListener("toggle", fill);
      block.append(details);
    }
    main.append(block);
  }
  document.getElementById("find").addEventListener("input", ({ target }) => {
    const wanted = target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const block of main.querySelectorAll(".group")) {
      let shown = 0;
      for (const details of block.querySelectorAll(".operation")) {
        details.hidden = !wanted.every((word) => details.dataset.words.includes(word));
        shown += details.hidden ? 0 : 1;
      }
      block.hidden = shown === 0;
    }
  });
  const linked = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (linked) {
    linked.open = true;
    linked.scrollIntoView();
  }
}

fetch("/api/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
  .then(show)
  .catch((error) => {
    document.getElementById("about").textContent = `The document can't be read (${error.message}). Reload the page to try again.`;
  });
