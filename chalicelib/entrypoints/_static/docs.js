"use strict";
/* The page at /docs: draws openapi.json and sends the requests that one tries. No dependency, nothing stored. */

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEPTH_MAX = 6;
let api;

function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === true) node.setAttribute(key, "");
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function inline(text) {
  return (text || "").split("`").map((part, place) => (place % 2 ? el("code", {}, part) : part));
}

function resolved(value) {
  let found = value;
  while (found && found.$ref) {
    found = found.$ref.slice(2).split("/").reduce((inner, key) => inner[key.replace(/~1/g, "/").replace(/~0/g, "~")], api);
  }
  return found || {};
}

function refName(schema) {
  return schema && schema.$ref ? schema.$ref.split("/").pop() : null;
}

function variants(schema) {
  return schema.anyOf || schema.oneOf || (schema.allOf && schema.allOf.length === 1 ? schema.allOf : null);
}

function typeText(schema) {
  const name = refName(schema);
  const found = resolved(schema);
  const choices = variants(found);
  if (choices) return choices.map(typeText).join(" or ");
  if (found.enum) return found.enum.map((one) => JSON.stringify(one)).join(", ");
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.type === "array") return "list of " + typeText(found.items || {});
  if (found.type === "object" && name) return name;
  const text = Array.isArray(found.type) ? found.type.join(" or ") : found.type || "anything";
  return found.format ? `${text} (${found.format})` : text;
}

function limits(schema) {
  const found = resolved(schema);
  const span = (least, most, what) => {
    if (least === undefined && most === undefined) return [];
    if (least === undefined) return [`at most ${most}${what}`];
    return [most === undefined ? `at least ${least}${what}` : `${least} to ${most}${what}`];
  };
  const told = [
    ...span(found.minimum, found.maximum, ""), ...span(found.minLength, found.maxLength, " characters"),
    ...span(found.minItems, found.maxItems, " items"),
    ...(found.exclusiveMinimum === undefined ? [] : [`above ${found.exclusiveMinimum}`]),
    ...(found.exclusiveMaximum === undefined ? [] : [`below ${found.exclusiveMaximum}`]),
    ...(found.pattern === undefined ? [] : [`like ${found.pattern}`]),
  ];
  if (found.default !== undefined && found.default !== null) told.push(`default ${JSON.stringify(found.default)}`);
  return told.join("; ");
}

function example(schema, depth = 0, seen = []) {
  const name = refName(schema);
  const found = resolved(schema);
  if (depth > DEPTH_MAX || (name && seen.includes(name))) return null;
  const inside = name ? [...seen, name] : seen;
  if (found.examples && found.examples.length) return found.examples[0];
  if (found.example !== undefined) return found.example;
  if (found.default !== undefined) return found.default;
  if (found.const !== undefined) return found.const;
  if (found.enum) return found.enum[0];
  const choices = variants(found);
  if (choices) return example(choices.find((one) => resolved(one).type !== "null") || choices[0], depth + 1, inside);
  const type = Array.isArray(found.type) ? found.type[0] : found.type;
  if (type === "object" || found.properties) {
    const made = {};
    for (const [key, inner] of Object.entries(found.properties || {})) made[key] = example(inner, depth + 1, inside);
    return made;
  }
  if (type === "array") {
    const one = example(found.items || {}, depth + 1, inside);
    return one === null ? [] : [one];
  }
  if (type === "integer" || type === "number") return found.minimum !== undefined ? found.minimum : 1;
  if (type === "boolean") return false;
  if (type === "null") return null;
  if (found.format === "date-time") return "2030-01-31T00:00:00Z";
  if (found.format === "date") return "2030-01-31";
  return type === "string" ? "text" : {};
}

function requestExample(schema) {
  const made = example(schema);
  const known = resolved(schema);
  if (made === null || typeof made !== "object" || Array.isArray(made)) return made;
  const needed = known.required || [];
  const kept = Object.keys(made).filter((key) => needed.includes(key) || made[key] !== null);
  return Object.fromEntries(kept.map((key) => [key, made[key]]));
}

function rows(schema, depth = 0, seen = []) {
  const name = refName(schema);
  let found = resolved(schema);
  if (depth > DEPTH_MAX || (name && seen.includes(name))) return null;
  const inside = name ? [...seen, name] : seen;
  if (found.type === "array") return rows(found.items || {}, depth, inside);
  const choices = variants(found);
  if (choices) {
    const drawn = choices.map((one) => rows(one, depth, inside)).filter(Boolean);
    return drawn.length ? el("div", {}, ...drawn) : null;
  }
  if (!found.properties) return null;
  const needed = found.required || [];
  const list = el("div", depth ? { class: "nested" } : { class: "scroll" });
  const body = el("tbody");
  for (const [key, inner] of Object.entries(found.properties)) {
    const nested = rows(inner, depth + 1, inside);
    const says = el("td", {}, ...inline(resolved(inner).description), " ", el("span", { class: "small" }, limits(inner)));
    if (nested) says.append(el("details", {}, el("summary", { class: "small" }, `fields of ${key}`), nested));
    body.append(el("tr", {},
      el("th", { scope: "row" }, el("code", {}, key), needed.includes(key) ? el("span", { class: "required" }, " required") : null),
      el("td", {}, typeText(inner)), says));
  }
  list.append(el("table", {}, body));
  return list;
}

function parametersTable(parameters) {
  const body = el("tbody");
  for (const raw of parameters) {
    const one = resolved(raw);
    body.append(el("tr", {},
      el("th", { scope: "row" }, el("code", {}, one.name), one.required ? el("span", { class: "required" }, " required") : null),
      el("td", {}, one.in), el("td", {}, typeText(one.schema)),
      el("td", {}, ...inline(one.description), " ", el("span", { class: "small" }, limits(one.schema)))));
  }
  return el("div", { class: "scroll" }, el("table", {}, body));
}

function answers(responses) {
  const box = el("div");
  for (const [status, raw] of Object.entries(responses)) {
    const answer = resolved(raw);
    const [media, content] = Object.entries(answer.content || {})[0] || [];
    const good = status < "400";
    const line = el("p", {}, el("span", { class: `status ${good ? "ok" : "refused"}` }, status), ` ${answer.description} `);
    box.append(line);
    if (!content) continue;
    if (good) {
      line.append(el("span", { class: "small" }, `${media}: ${typeText(content.schema)}`));
      const fields = rows(content.schema);
      if (fields) {
        const text = JSON.stringify(example(content.schema), null, 2);
        box.append(el("details", {}, el("summary", { class: "small" }, "Fields"), fields),
          el("details", {}, el("summary", { class: "small" }, "Example"), el("pre", { tabindex: "0" }, el("code", {}, text))));
      }
    } else {
      const slugs = el("span", { class: "slugs" });
      for (const [slug, shown] of Object.entries(content.examples || {})) {
        slugs.append(el("a", { href: `docs/errors#${slug}`, title: resolved(shown).summary }, slug), " ");
      }
      line.append(slugs);
    }
  }
  return box;
}

function credentials() {
  const token = document.getElementById("token").value.trim();
  const scheme = document.getElementById("scheme").value;
  if (!token) return {};
  return scheme === "X-Api-Key" ? { "X-Api-Key": token } : { Authorization: `${scheme} ${token}` };
}

function built(path, fields, body) {
  const headers = { ...credentials() };
  const academy = document.getElementById("academy").value.trim();
  if (academy) headers.Academy = academy;
  const query = new URLSearchParams();
  let address = path.slice(1);
  for (const { parameter, input } of fields) {
    const value = input.value;
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value !== "" && parameter.in === "query") query.append(parameter.name, value);
    else if (value !== "") headers[parameter.name] = value;
  }
  if (body && body.value.trim()) headers["Content-Type"] = "application/json";
  const text = query.toString();
  return { url: new URL(text ? `${address}?${text}` : address, document.baseURI), headers };
}

function curl(method, request, body) {
  const quoted = (text) => "'" + text.replace(/'/g, "'\\''") + "'";
  const secret = (name, value) => (name === "Authorization" || name === "X-Api-Key" ? value.replace(/\S+$/, "$TOKEN") : value);
  const parts = [`curl -i -X ${method.toUpperCase()} ${quoted(String(request.url))}`];
  for (const [name, value] of Object.entries(request.headers)) {
    const shown = secret(name, value);
    parts.push(`-H ${shown.includes("$TOKEN") ? `"${name}: ${shown}"` : quoted(`${name}: ${shown}`)}`);
  }
  if (body && body.value.trim()) parts.push(`--data ${quoted(body.value)}`);
  return parts.join(" \\\n  ");
}

async function send(method, request, body, out) {
  out.replaceChildren(el("p", {}, "Sending."));
  const began = performance.now();
  try {
    const answer = await fetch(request.url, {
      method: method.toUpperCase(), headers: request.headers, body: body && body.value.trim() ? body.value : undefined,
      credentials: "omit", cache: "no-store",
    });
    const raw = await answer.text();
    let text = raw;
    try { text = JSON.stringify(JSON.parse(raw), null, 2); } catch (_) { /* not JSON: shown as it is */ }
    const milliseconds = Math.round(performance.now() - began);
    const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    out.replaceChildren(
      el("p", {}, el("span", { class: `status ${answer.ok ? "ok" : "refused"}` }, `${answer.status} `), `in ${milliseconds} ms`),
      el("pre", { tabindex: "0" }, el("code", {}, text || "(no body)")),
      el("details", {}, el("summary", { class: "small" }, "Headers"), el("pre", {}, el("code", {}, headers))));
  } catch (error) {
    out.replaceChildren(el("p", { class: "refused" }, `No answer: ${error.message}`));
  }
}

function tryIt(path, method, operation, id) {
  const form = el("form", { "aria-label": `Try ${method.toUpperCase()} ${path}` });
  const fields = [];
  for (const raw of operation.parameters || []) {
    const parameter = resolved(raw);
    if (parameter.name === "Academy") continue;
    const field = `${id}-${parameter.name}`;
    const input = el("input", { id: field, required: parameter.required, autocomplete: "off", placeholder: typeText(parameter.schema) });
    fields.push({ parameter, input });
    form.append(el("div", { class: "field" }, el("label", { for: field }, `${parameter.name} (${parameter.in})`), input));
  }
  let body = null;
  if (operation.requestBody) {
    const schema = Object.values(operation.requestBody.content)[0].schema;
    body = el("textarea", { id: `${id}-body`, spellcheck: "false" });
    body.value = JSON.stringify(requestExample(schema), null, 2);
    form.append(el("label", { for: `${id}-body` }, "Body"), body);
  }
  const out = el("div", { "aria-live": "polite" });
  const show = el("button", { type: "button", class: "plain" }, "As curl");
  show.addEventListener("click", () => {
    out.replaceChildren(el("pre", { tabindex: "0" }, el("code", {}, curl(method, built(path, fields, body), body))));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(method, built(path, fields, body), body, out);
  });
  form.append(el("p", {}, el("button", { type: "submit" }, "Send"), " ", show));
  return el("div", {}, form, out);
}

function fill(box, path, method, operation) {
  for (const paragraph of (operation.description || "").split("\n\n").filter(Boolean)) box.append(el("p", {}, ...inline(paragraph)));
  box.append(el("p", { class: "small" }, operation.security.length ? "Signed in: Token, Bearer or X-Api-Key." : "Open to everyone."));
  if (operation.parameters) box.append(el("h4", {}, "Parameters"), parametersTable(operation.parameters));
  if (operation.requestBody) {
    const schema = Object.values(operation.requestBody.content)[0].schema;
    box.append(el("h4", {}, `Body: ${typeText(schema)}`), rows(schema) || "");
  }
  box.append(el("h4", {}, "Answers"), answers(operation.responses));
  box.append(el("h4", {}, "Try it"), tryIt(path, method, operation, operation.operationId));
}

function drawn(path, method, operation) {
  const box = el("div");
  const details = el("details", { class: "route", id: operation.operationId },
    el("summary", {}, el("span", { class: `method ${method}` }, method.toUpperCase()),
      el("span", { class: "path" }, path), el("span", { class: "says" }, ...inline(operation.summary))), box);
  details.addEventListener("toggle", () => {
    if (details.open && !box.childNodes.length) fill(box, path, method, operation);
  });
  const slugs = Object.values(operation.responses).flatMap((raw) =>
    Object.values(resolved(raw).content || {}).flatMap((content) => Object.keys(content.examples || {})));
  details.dataset.words = [path, method, operation.summary, operation.description, ...slugs].join(" ").toLowerCase();
  return details;
}

function draw() {
  const content = document.getElementById("content");
  const index = document.getElementById("index");
  document.getElementById("version").textContent = api.info.version;
  document.getElementById("about").replaceChildren(...inline(api.info.description));
  for (const tag of api.tags) {
    const section = el("section", {}, el("h2", {}, tag.name), el("p", {}, tag.description));
    const links = el("ul");
    const groups = new Map();
    for (const [path, methods] of Object.entries(api.paths)) {
      for (const method of METHODS.filter((one) => methods[one] && methods[one].tags[0] === tag.name)) {
        const group = methods[method]["x-resource"];
        if (!groups.has(group)) groups.set(group, []);
        groups.get(group).push([path, method, methods[method]]);
      }
    }
    for (const [group, members] of groups) {
      if (groups.size > 1) section.append(el("h3", { class: "group" }, group.replace(/_/g, " ")));
      for (const [path, method, operation] of members) {
        section.append(drawn(path, method, operation));
        links.append(el("li", { "data-for": operation.operationId }, el("a", { href: `#${operation.operationId}` },
          el("span", { class: `method ${method}` }, method.toUpperCase()), el("span", {}, path))));
      }
    }
    content.append(section);
    index.append(el("h2", {}, tag.name), links);
  }
}

function filter() {
  const words = document.getElementById("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const details of document.querySelectorAll("details.route")) {
    const fits = words.every((word) => details.dataset.words.includes(word));
    details.hidden = !fits;
    document.querySelector(`[data-for="${details.id}"]`).hidden = !fits;
    shown += fits ? 1 : 0;
  }
  document.getElementById("count").textContent = `${shown} routes`;
}

function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target && target.matches("details.route")) {
    target.open = true;
    target.scrollIntoView();
    target.querySelector("summary").focus({ preventScroll: true });
  }
}

async function start() {
  document.getElementById("who").addEventListener("submit", (event) => event.preventDefault());
  try {
    api = await (await fetch("openapi.json")).json();
  } catch (error) {
    document.getElementById("about").textContent = `The description of this API could not be loaded: ${error.message}`;
    return;
  }
  draw();
  filter();
  document.getElementById("filter").addEventListener("input", filter);
  window.addEventListener("hashchange", openTarget);
  openTarget();
}

start();
