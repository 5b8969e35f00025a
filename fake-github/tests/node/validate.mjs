// Reads lines of JSON from standard input and validates each against GitHub's published schemas:
//   {"event": "push", "action": null, "payload": {…}}   webhook payloads
//   {"schema": "full-repository", "list": false, "body": …}   answers of the REST API
// Prints how many of each kind were valid, and exits with 1 and the reasons when any was not.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const require = createRequire(import.meta.url);
const webhooks = require("@octokit/webhooks-schemas");
const openapi = require("@octokit/openapi/generated/api.github.com.json");

// The published webhook schemas know a transfer from a user only; GitHub's own description has both.
const from = webhooks.definitions["repository$transferred"].properties.changes.properties.owner.properties.from;
from.properties.organization = { $ref: "#/definitions/organization" };

// An organisation that has not told its name or address answers null, which the description leaves out.
for (const field of ["name", "email"]) openapi.components.schemas["organization-full"].properties[field].nullable = true;

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema({ $id: "webhooks", definitions: webhooks.definitions });
ajv.addSchema({ $id: "rest", components: { schemas: standard(openapi.components.schemas) } });

// OpenAPI 3.0 says `nullable`; JSON Schema says it otherwise.
function standard(node) {
  if (Array.isArray(node)) return node.map(standard);
  if (node === null || typeof node !== "object") return node;
  const { nullable, discriminator, example, examples, ...rest } = node;
  const copy = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, standard(value)]));
  return nullable === true ? { anyOf: [copy, { type: "null" }] } : copy;
}

const validators = new Map();
function validator(reference) {
  if (!validators.has(reference)) validators.set(reference, ajv.compile({ $ref: reference }));
  return validators.get(reference);
}

function webhookReference(event, action) {
  const name = [`${event}$${action ?? "event"}`].find((name) => name in webhooks.definitions);
  return name && `webhooks#/definitions/${name}`;
}

// A field that the description lacks is one that we made up. Maps (languages) have none described.
function inventedFields(name, body) {
  const { properties } = openapi.components.schemas[name];
  if (!properties) return [];
  const known = new Set(Object.keys(properties));
  return Object.keys(body).filter((key) => !known.has(key));
}

const counts = {};
const failures = [];
for await (const line of createInterface({ input: process.stdin })) {
  const item = JSON.parse(line);
  const name = item.event ? `${item.event}.${item.action ?? ""}` : item.schema;
  counts[name] = (counts[name] ?? 0) + 1;
  if (item.event) {
    const reference = webhookReference(item.event, item.action);
    if (!reference) {
      failures.push(`${name}: no schema`);
    } else if (!validator(reference)(item.payload)) {
      failures.push(`${name}: ${ajv.errorsText(validator(reference).errors, { separator: "\n  " })}`);
    }
    continue;
  }
  const validate = validator(`rest#/components/schemas/${item.schema}`);
  for (const body of item.list ? item.body : [item.body]) {
    if (!validate(body)) failures.push(`${name}: ${ajv.errorsText(validate.errors, { separator: "\n  " })}`);
    const invented = inventedFields(item.schema, body);
    if (invented.length > 0) failures.push(`${name}: made up: ${invented}`);
  }
}
for (const name of Object.keys(counts).sort()) console.log(`${name} ${counts[name]}`);
if (failures.length > 0) {
  console.error([...new Set(failures)].slice(0, 20).join("\n"));
  process.exit(1);
}
