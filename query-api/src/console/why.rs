//! Why a repository's numbers are what they are, as pages for people: an account's repositories, and of one of them
//! each number with its steps. They are made from the same payloads that programs read.

use std::fmt::Write as _;

use serde_json::Value;

use super::page::write_time;
use crate::{markup::escaped, protocol::path::segment};

/// So many repositories on a page.
pub(crate) const PER_PAGE: usize = 100;

/// An account's repositories: a page of `/v1/accounts/{login}/repos`, out of so many.
pub(crate) fn repositories(login: &str, list: &Value, page: usize, total: usize) -> String {
    let mut html = head(login);
    let _ = writeln!(html, "<h2>Repositories of {} <small>{total}</small></h2>", escaped(login));
    html.push_str(
        "<table><thead><tr><th scope=\"col\">Repository</th><th scope=\"col\">Commits</th>\
         <th scope=\"col\">Pull requests</th><th scope=\"col\">Stars</th></tr></thead>\n<tbody>\n",
    );
    for repository in list["repositories"].as_array().into_iter().flatten() {
        let Some((owner, name)) =
            repository["repository"]["full_name"].as_str().and_then(|name| name.split_once('/'))
        else {
            continue;
        };
        let counts = &repository["counts"];
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\"><a href=\"/console/why/{}/{}\">{}</a></th><td data-label=\"Commits\">{}</td>\
             <td data-label=\"Pull requests\">{}</td><td data-label=\"Stars\">{}</td></tr>",
            segment(owner),
            segment(name),
            escaped(name),
            number(&counts["commits"]),
            number(&counts["pull_requests"]["total"]),
            number(&counts["stars"]),
        );
    }
    html.push_str("</tbody></table>\n<p>");
    let mut link = |page: usize, text: &str| {
        let _ = write!(html, "<a href=\"/console/why/{}?page={page}\">{text}</a> ", segment(login));
    };
    if page > 1 {
        link(page - 1, "Before");
    }
    if page < total.div_ceil(PER_PAGE) {
        link(page + 1, "More");
    }
    html.push_str("</p>\n");
    end(html)
}

/// A repository's numbers with their steps: the payload of `/v1/repos/{owner}/{name}/explain`.
pub(crate) fn numbers(told: &Value) -> String {
    let full_name = told["repository"].as_str().unwrap_or_default();
    let (owner, name) = full_name.split_once('/').unwrap_or_default();
    let mut html = head(full_name);
    let _ = writeln!(
        html,
        "<h2><a href=\"/console/why/{0}\">{1}</a> / <a href=\"/v1/repos/{0}/{2}\">{3}</a></h2>",
        segment(owner),
        escaped(owner),
        segment(name),
        escaped(name),
    );
    for field in told["fields"].as_array().into_iter().flatten() {
        write_number(&mut html, field);
    }
    end(html)
}

fn write_number(html: &mut String, field: &Value) {
    let name = field["field"].as_str().unwrap_or_default();
    let missing =
        field["missing"].as_str().map(|reason| format!(", {}", escaped(reason))).unwrap_or_default();
    let _ = writeln!(
        html,
        "<section aria-labelledby=\"{name}\"><h2 id=\"{name}\">{name} <small>{}{missing}</small></h2>",
        number(&field["value"])
    );
    let base = &field["base"];
    let began = match base["reason"].as_str().unwrap_or_default() {
        "unknown" => "Nothing was known before.".to_owned(),
        "older" => format!("It was {} before; older steps are not listed.", number(&base["value"])),
        "hidden" => format!("It was {} when the repository was shown again.", number(&base["value"])),
        _ => format!("It was {} before; by what is not recorded.", number(&base["value"])),
    };
    let _ = writeln!(html, "<p>{began}</p>");
    let steps = field["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !steps.is_empty() {
        html.push_str(
            "<table class=\"deliveries\"><thead><tr><th scope=\"col\">Received (UTC)</th><th scope=\"col\">Told by</th>\
             <th scope=\"col\">Number</th><th scope=\"col\">Doubt</th><th scope=\"col\">Position</th>\
             <th scope=\"col\">Delivery</th></tr></thead>\n<tbody>\n",
        );
        for step in steps {
            write_step(html, step);
        }
        html.push_str("</tbody></table>\n");
    }
    html.push_str("</section>\n");
}

fn write_step(html: &mut String, step: &Value) {
    let text = |name: &str| step[name].as_str().map(escaped).unwrap_or_default();
    html.push_str("<tr><td data-label=\"Received (UTC)\">");
    // To the second, as all times on these pages.
    let received = text("received_at");
    let received = received.split_once('.').map_or(received.clone(), |(second, _)| format!("{second}Z"));
    write_time(html, &received);
    let by = match (step["by"].as_str(), step["request"].as_str()) {
        (Some("delivery"), _) => text("event"),
        (Some("request"), Some(request)) => format!("a question ({})", escaped(request)),
        (Some("request"), None) => "a question".to_owned(),
        _ => "a command".to_owned(),
    };
    let _ = write!(
        html,
        "</td><td data-label=\"Told by\">{by}</td><td data-label=\"Number\">{} → {}</td>\
         <td data-label=\"Doubt\">{}</td><td data-label=\"Position\">{}</td><td data-label=\"Delivery\">",
        number(&step["before"]),
        number(&step["after"]),
        step["doubt"].as_str().map_or("–".to_owned(), escaped),
        text("position"),
    );
    match step["delivery"].as_str() {
        Some(id) => {
            let _ = write!(html, "<a href=\"/v1/deliveries/{}\">{}</a>", segment(id), escaped(id));
        }
        None => html.push('–'),
    }
    html.push_str("</td></tr>\n");
}

/// A number with a word for none.
fn number(value: &Value) -> String {
    value.as_u64().map_or("unknown".to_owned(), |number| number.to_string())
}

fn head(title: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{} · Tallyhook</title>\
         <link rel=\"stylesheet\" href=\"/console/style.css\"></head>\n\
         <body><header><h1><a href=\"/console\">Tallyhook</a></h1></header>\n<main>\n",
        escaped(title)
    )
}

fn end(mut html: String) -> String {
    html.push_str("</main>\n<footer><a href=\"/docs\">API</a></footer></body></html>\n");
    html
}
