//! A schema as an outline of the JSON that it describes, for people to read.

use serde_json::{Map, Value};

/// Schemas lie no deeper than this; one that contains itself would never end.
const DEPTH_MAX: usize = 12;

/// What is written before a schema's name where others refer to it.
const REFERENCE: &str = "#/components/schemas/";

/// The outline of a schema. `schemas` are those of the document, by name.
pub(super) fn outline(schema: &Value, schemas: &Map<String, Value>) -> String {
    let mut outline = Outline { schemas, text: String::new() };
    outline.write(schema, 0);
    outline.text
}

struct Outline<'a> {
    schemas: &'a Map<String, Value>,
    text: String,
}

impl<'a> Outline<'a> {
    fn write(&mut self, schema: &Value, depth: usize) {
        let schemas: &'a Map<String, Value> = self.schemas;
        let schema = resolved(schema, schemas);
        if depth > DEPTH_MAX {
            self.text.push('…');
        } else if let Some(properties) = properties(schema, schemas) {
            self.write_object(&properties, depth);
        } else if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            self.text.push_str("{ name: ");
            self.write(values, depth + 1);
            self.text.push_str(", … }");
        } else if let Some(items) = schema.get("items") {
            self.text.push('[');
            self.write(items, depth);
            self.text.push_str(", …]");
        } else if let Some(choices) = choices(schema) {
            for (place, choice) in choices.iter().enumerate() {
                if place > 0 {
                    self.text.push_str(" | ");
                }
                self.write(choice, depth);
            }
        } else {
            self.text.push_str(&scalar(schema));
        }
    }

    fn write_object(&mut self, properties: &Map<String, Value>, depth: usize) {
        let indent = "  ".repeat(depth);
        self.text.push_str("{\n");
        for (name, schema) in properties {
            self.text.push_str(&format!("{indent}  \"{name}\": "));
            self.write(schema, depth + 1);
            self.text.push('\n');
        }
        self.text.push_str(&indent);
        self.text.push('}');
    }
}

fn resolved<'s>(schema: &'s Value, schemas: &'s Map<String, Value>) -> &'s Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix(REFERENCE));
    name.and_then(|name| schemas.get(name)).unwrap_or(schema)
}

/// The members of an object, those of its parts included.
fn properties(schema: &Value, schemas: &Map<String, Value>) -> Option<Map<String, Value>> {
    if let Some(own) = schema.get("properties").and_then(Value::as_object) {
        return Some(own.clone());
    }
    let parts = schema.get("allOf")?.as_array()?;
    let mut all = Map::new();
    for part in parts {
        all.extend(properties(resolved(part, schemas), schemas)?);
    }
    Some(all)
}

fn choices(schema: &Value) -> Option<&Vec<Value>> {
    ["oneOf", "anyOf"].into_iter().find_map(|key| schema.get(key)?.as_array())
}

fn scalar(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
    }
    match schema.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | "),
        _ => "any".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_lists_maps_and_choices_are_outlined() {
        let schemas = json!({
            "Inner": {"type": "object", "properties": {"n": {"type": ["integer", "null"]}}},
            "Kind": {"type": "string", "enum": ["a", "b"]},
        });
        let schema = json!({"allOf": [
            {"$ref": "#/components/schemas/Inner"},
            {"type": "object", "properties": {
                "list": {"type": "array", "items": {"$ref": "#/components/schemas/Kind"}},
                "map": {"type": "object", "additionalProperties": {"type": "number"}},
                "maybe": {"oneOf": [{"type": "null"}, {"type": "string"}]},
            }},
        ]});
        let expected = "{\n  \"n\": integer | null\n  \"list\": [\"a\" | \"b\", …]\n  \"map\": { name: number, … }\n  \
                        \"maybe\": null | string\n}";
        let mut outlined: Vec<String> =
            outline(&schema, schemas.as_object().unwrap()).lines().map(str::to_owned).collect();
        let mut expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        outlined.sort();
        expected.sort();
        assert_eq!(outlined, expected, "members may come in the order of their names");
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let schemas = json!({"Tree": {"type": "object", "properties": {
            "branches": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}
        }}});
        let text = outline(&json!({"$ref": "#/components/schemas/Tree"}), schemas.as_object().unwrap());
        assert!(text.contains('…') && text.len() < 2_000, "{text}");
    }
}
