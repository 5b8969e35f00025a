//! A writer of JSON that keeps the order in which fields are given, as GitHub's answers do.

use std::fmt::{self, Display, Write};

/// An object being written.
pub(crate) struct Object<'a> {
    out: &'a mut String,
    is_first: bool,
}

/// A list being written.
pub(crate) struct List<'a> {
    out: &'a mut String,
    is_first: bool,
}

/// Writes one object.
pub(crate) fn object(fields: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = String::with_capacity(8 * 1024);
    write_object(&mut out, fields);
    out
}

/// Writes one list.
pub(crate) fn list<T>(items: impl IntoIterator<Item = T>, each: impl FnMut(&mut List<'_>, T)) -> String {
    let mut out = String::with_capacity(8 * 1024);
    write_list(&mut out, items, each);
    out
}

fn write_object(out: &mut String, fields: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    fields(&mut Object { out, is_first: true });
    out.push('}');
}

fn write_list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut List<'_>, T),
) {
    out.push('[');
    let mut list = List { out, is_first: true };
    for item in items {
        each(&mut list, item);
    }
    out.push(']');
}

fn write_text(out: &mut String, text: impl Display) {
    out.push('"');
    write!(Escaped(out), "{text}").expect("writing to a string does not fail");
    out.push('"');
}

impl Object<'_> {
    fn key(&mut self, key: &str) -> &mut String {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(',');
        }
        write_text(self.out, key);
        self.out.push(':');
        self.out
    }

    pub(crate) fn text(&mut self, key: &str, value: impl Display) {
        write_text(self.key(key), value);
    }

    pub(crate) fn optional_text(&mut self, key: &str, value: Option<impl Display>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.null(key),
        }
    }

    pub(crate) fn number(&mut self, key: &str, value: impl Into<i128>) {
        let value = value.into();
        write!(self.key(key), "{value}").expect("writing to a string does not fail");
    }

    /// A value that is JSON already.
    pub(crate) fn json(&mut self, key: &str, value: &str) {
        self.key(key).push_str(value);
    }

    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        self.key(key).push_str(if value { "true" } else { "false" });
    }

    pub(crate) fn null(&mut self, key: &str) {
        self.key(key).push_str("null");
    }

    pub(crate) fn object(&mut self, key: &str, fields: impl FnOnce(&mut Object<'_>)) {
        write_object(self.key(key), fields);
    }

    pub(crate) fn list<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        each: impl FnMut(&mut List<'_>, T),
    ) {
        write_list(self.key(key), items, each);
    }

    pub(crate) fn texts<T: Display>(&mut self, key: &str, items: impl IntoIterator<Item = T>) {
        self.list(key, items, |list, item| list.text(item));
    }
}

impl List<'_> {
    fn next(&mut self) -> &mut String {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(',');
        }
        self.out
    }

    pub(crate) fn text(&mut self, value: impl Display) {
        write_text(self.next(), value);
    }

    pub(crate) fn object(&mut self, fields: impl FnOnce(&mut Object<'_>)) {
        write_object(self.next(), fields);
    }
}

/// Escapes what is written through it.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut from = 0;
        for (at, byte) in text.bytes().enumerate() {
            let escape = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                0..=0x1f => "",
                _ => continue,
            };
            self.0.push_str(&text[from..at]);
            from = at + 1;
            if escape.is_empty() {
                write!(self.0, "\\u{byte:04x}")?;
            } else {
                self.0.push_str(escape);
            }
        }
        self.0.push_str(&text[from..]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_from_a_json_reader() {
        let all: String = (0..0x250).filter_map(char::from_u32).chain("\u{2728}読み\\\"".chars()).collect();
        let json = object(|o| {
            o.text(&all, &all);
            o.optional_text("none", None::<&str>);
            o.number("n", -1);
            o.list("list", 0..2, |list, item| list.object(|o| o.number("i", item)));
        });
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read[&all], all.as_str());
        assert_eq!(read["list"], serde_json::json!([{"i": 0}, {"i": 1}]));
        assert_eq!((&read["none"], &read["n"]), (&serde_json::Value::Null, &serde_json::json!(-1)));
        assert_eq!(list([1, 2], |list, item| list.text(item)), r#"["1","2"]"#);
    }
}
