//! The page that shows the document: plain HTML, readable without scripts, with nothing from elsewhere.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;

use super::shape;
use crate::markup::escaped;

/// The page's style.
pub(super) const STYLE: &str = include_str!("style.css");

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page of a document.
pub(super) fn of(document: &OpenApi) -> String {
    let document = serde_json::to_value(document).expect("a document of plain values serializes");
    let text = |pointer: &str| escaped(document.pointer(pointer).and_then(Value::as_str).unwrap_or_default());
    let nothing = Map::new();
    let object = |pointer: &str| document.pointer(pointer).and_then(Value::as_object).unwrap_or(&nothing);
    let schemas = object("/components/schemas");
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} {version}</title><link rel=\"stylesheet\" href=\"/docs/style.css\"></head>\n\
         <body><header><h1>{title} <small>{version}</small></h1><p>{about}</p>\
         <p>For programs: <a href=\"/openapi.json\">openapi.json</a></p></header>\n<main>\n",
        title = text("/info/title"),
        version = text("/info/version"),
        about = marked(&text("/info/description")),
    );
    for tag in document.pointer("/tags").and_then(Value::as_array).unwrap_or(&Vec::new()) {
        let name = tag.get("name").and_then(Value::as_str).unwrap_or_default();
        let about = tag.get("description").and_then(Value::as_str).unwrap_or_default();
        let operations: Vec<_> = operations(object("/paths"))
            .filter(|(_, _, operation)| operation.pointer("/tags/0").and_then(Value::as_str) == Some(name))
            .collect();
        if operations.is_empty() {
            continue;
        }
        let _ = writeln!(page, "<section><h2>{}</h2><p>{}</p>", escaped(name), escaped(about));
        for (path, method, operation) in operations {
            write_operation(&mut page, path, method, operation, schemas);
        }
        page.push_str("</section>\n");
    }
    page.push_str("</main></body></html>\n");
    page
}

fn operations(paths: &Map<String, Value>) -> impl Iterator<Item = (&str, &'static str, &Value)> {
    paths.iter().flat_map(|(path, item)| {
        METHODS.into_iter().filter_map(move |method| Some((path.as_str(), method, item.get(method)?)))
    })
}

fn write_operation(
    page: &mut String,
    path: &str,
    method: &str,
    operation: &Value,
    schemas: &Map<String, Value>,
) {
    let text = |key: &str| escaped(operation.get(key).and_then(Value::as_str).unwrap_or_default());
    let _ = write!(
        page,
        "<article><h3><span class=\"method\">{}</span> <code>{}</code></h3>\n<p><strong>{}</strong></p>\n<p>{}</p>\n",
        method.to_uppercase(),
        escaped(path),
        marked(&text("summary")),
        marked(&text("description")),
    );
    let parameters = operation.get("parameters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if !parameters.is_empty() {
        page.push_str(
            "<table><caption>Parameters</caption><tr><th>name</th><th>in</th><th>meaning</th></tr>\n",
        );
        for parameter in parameters {
            let text = |key: &str| escaped(parameter.get(key).and_then(Value::as_str).unwrap_or_default());
            let _ = writeln!(
                page,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                text("name"),
                text("in"),
                marked(&text("description"))
            );
        }
        page.push_str("</table>\n");
    }
    let nothing = Map::new();
    let responses = operation.get("responses").and_then(Value::as_object).unwrap_or(&nothing);
    page.push_str("<table><caption>Answers</caption><tr><th>status</th><th>meaning</th></tr>\n");
    for (status, response) in responses {
        let about = response.get("description").and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(page, "<tr><td>{}</td><td>{}</td></tr>", escaped(status), marked(&escaped(about)));
    }
    page.push_str("</table>\n");
    let payload = responses.get("200").and_then(|ok| ok.pointer("/content/application~1json/schema"));
    if let Some(schema) = payload {
        let _ = writeln!(
            page,
            "<details><summary>Payload</summary><pre>{}</pre></details>",
            escaped(&shape::outline(schema, schemas))
        );
    }
    page.push_str("</article>\n");
}

/// Escaped text with what stands between backticks as code.
fn marked(html: &str) -> String {
    let mut marked = String::with_capacity(html.len());
    for (place, part) in html.split('`').enumerate() {
        if place > 0 {
            marked.push_str(if place % 2 == 1 { "<code>" } else { "</code>" });
        }
        marked.push_str(part);
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::openapi;

    #[test]
    fn every_operation_is_on_the_page_with_its_answers() {
        let document = openapi();
        let page = of(&document);
        let mut count = 0;
        for (path, item) in &document.paths.paths {
            for operation in [&item.get, &item.post].into_iter().flatten() {
                count += 1;
                assert!(page.contains(&format!("<code>{path}</code></h3>")), "{path}");
                let summary = operation.summary.as_deref().unwrap_or_default();
                assert!(
                    !summary.is_empty() && page.contains(&marked(&escaped(summary))),
                    "{path}: {summary}"
                );
            }
        }
        assert!(count >= 5, "{count}");
        assert!(!page.contains("<script"));
        for attribute in [" src=\"", " href=\""] {
            for target in page.split(attribute).skip(1) {
                assert!(
                    target.starts_with(['/', '#']) && !target.starts_with("//"),
                    "{attribute}{target:.80}"
                );
            }
        }
    }

    #[test]
    fn nothing_that_is_described_can_be_markup() {
        assert_eq!(
            marked(&escaped("<b> & `a<b` \"q\"")),
            "&lt;b&gt; &amp; <code>a&lt;b</code> &quot;q&quot;"
        );
    }
}
