//! Small damage to something that was right: chance alone never gets past the first byte of JSON.

use bolero::TypeGenerator;
use serde_json::{Value, json};

/// Damage to bytes.
#[derive(Debug, Clone, TypeGenerator)]
pub(crate) enum Bytewise {
    None,
    Set { at: u16, to: u8 },
    Flip { at: u16, bit: u8 },
    Cut { at: u16 },
    Insert { at: u16, bytes: [u8; 4] },
    Repeat { at: u16, length: u8 },
}

impl Bytewise {
    pub(crate) fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let place = |at: &u16| usize::from(*at) % bytes.len().max(1);
        match self {
            Bytewise::None => {}
            _ if bytes.is_empty() => {}
            Bytewise::Set { at, to } => {
                let at = place(at);
                bytes[at] = *to;
            }
            Bytewise::Flip { at, bit } => {
                let at = place(at);
                bytes[at] ^= 1 << (bit % 8);
            }
            Bytewise::Cut { at } => bytes.truncate(place(at)),
            Bytewise::Insert { at, bytes: inserted } => {
                let at = place(at);
                bytes.splice(at..at, *inserted);
            }
            Bytewise::Repeat { at, length } => {
                let from = place(at);
                let until = bytes.len().min(from + usize::from(*length));
                let again = bytes[from..until].to_vec();
                bytes.splice(from..from, again);
            }
        }
        bytes
    }
}

/// Damage to JSON that stays JSON: what look-alikes and old servers do.
#[derive(Debug, Clone, TypeGenerator)]
pub(crate) enum Valuewise {
    /// The value at a place becomes another one.
    Replace { at: u16, with: Odd },
    /// A field, or an element, is missing.
    Remove { at: u16 },
    /// A value stands where another stood.
    Copy { from: u16, to: u16 },
}

/// Values that are not what one expects.
#[derive(Debug, Clone, TypeGenerator)]
pub(crate) enum Odd {
    Null,
    Bool(bool),
    Number(i64),
    Large(u64),
    Fraction,
    Text(String),
    Time,
    Long,
    EmptyList,
    EmptyObject,
    Deep(u8),
}

impl Odd {
    fn value(&self) -> Value {
        match self {
            Odd::Null => Value::Null,
            Odd::Bool(value) => json!(value),
            Odd::Number(value) => json!(value),
            Odd::Large(value) => json!(value),
            Odd::Fraction => json!(1.5e300),
            Odd::Text(text) => json!(text),
            Odd::Time => json!("2026-05-28T20:31:34.123+02:00"),
            Odd::Long => json!("x".repeat(70_000)),
            Odd::EmptyList => json!([]),
            Odd::EmptyObject => json!({}),
            Odd::Deep(depth) => (0..*depth).fold(Value::Null, |inner, _| json!([inner])),
        }
    }
}

impl Valuewise {
    pub(crate) fn apply(&self, root: &mut Value) {
        let mut places = Vec::new();
        collect(root, &mut String::new(), &mut places);
        let place = |at: &u16| places[usize::from(*at) % places.len()].clone();
        match self {
            Valuewise::Replace { at, with } => {
                if let Some(value) = root.pointer_mut(&place(at)) {
                    *value = with.value();
                }
            }
            Valuewise::Remove { at } => {
                let place = place(at);
                let Some((parent, name)) = place.rsplit_once('/') else { return };
                match root.pointer_mut(parent) {
                    Some(Value::Object(fields)) => drop(fields.remove(name)),
                    Some(Value::Array(values)) => drop(name.parse().map(|at: usize| values.remove(at))),
                    _ => {}
                }
            }
            Valuewise::Copy { from, to } => {
                let Some(copy) = root.pointer(&place(from)).cloned() else { return };
                if let Some(value) = root.pointer_mut(&place(to)) {
                    *value = copy;
                }
            }
        }
    }
}

/// Every place in a value, as JSON pointers; the names in GitHub's payloads need no escapes.
fn collect(value: &Value, path: &mut String, places: &mut Vec<String>) {
    places.push(path.clone());
    let length = path.len();
    let mut visit = |name: &str, value: &Value| {
        path.push('/');
        path.push_str(name);
        collect(value, path, places);
        path.truncate(length);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| visit(name, value)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| visit(&at.to_string(), value));
        }
        _ => {}
    }
}
