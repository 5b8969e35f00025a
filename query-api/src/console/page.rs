//! The console as HTML: readable without scripts, on a phone and on a desk. With them it follows what changes.

use std::fmt::Write as _;

use domain::{Millis, delivery::Delivery};

use super::{Console, Line, budget, gaps};
use crate::{badge::AccountFigures, markup::escaped, protocol::path::segment};

/// The page's style.
pub(crate) const STYLE: &str = include_str!("style.css");
/// What follows changes.
pub(crate) const SCRIPT: &str = include_str!("live.js");

/// The page.
pub(super) fn of(console: &Console) -> String {
    let complete = console.accounts.iter().filter(|line| line.is_complete).count();
    let mut page = begin("Tallyhook", Script::Live);
    if console.shows_older {
        page.push_str(
            "<p class=\"note\">Numbers of an earlier release are shown until this one has built its own.</p>\n",
        );
    }
    let _ = writeln!(
        page,
        "<section aria-labelledby=\"accounts\"><h2 id=\"accounts\">Accounts <small>{} shown, {complete} complete\
         </small></h2>",
        console.accounts.len()
    );
    if console.accounts.is_empty() {
        page.push_str("<p>None is kept yet. <code>tallyhook track LOGIN</code> starts one.</p>\n");
    } else {
        write_accounts(&mut page, &console.accounts);
    }
    if console.has_more {
        page.push_str("<p>There are more: <code>tallyhook accounts</code> lists all.</p>\n");
    }
    page.push_str("</section>\n");
    gaps::write_section(&mut page, &console.gaps);
    budget::write_section(&mut page, console.budgets.as_deref());
    page.push_str("<section aria-labelledby=\"deliveries\"><h2 id=\"deliveries\">Newest deliveries</h2>\n");
    if console.deliveries.is_empty() {
        page.push_str(
            "<p>None is remembered. <code>tallyhook doctor OWNER/REPO</code> looks at a webhook.</p>\n",
        );
    } else {
        write_deliveries(&mut page, &console.deliveries);
    }
    page.push_str("</section>\n");
    end(&mut page);
    page
}

/// Which script a page runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    /// The one that follows changes of the console.
    Live,
    None,
}

/// Everything of a page up to its own sections. `title` is markup.
pub(super) fn begin(title: &str, script: Script) -> String {
    let script = match script {
        Script::Live => "<script src=\"/console/live.js\" defer></script>",
        Script::None => "",
    };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/console/style.css\">{script}</head>\n\
         <body><header><h1><a href=\"/console\">Tallyhook</a></h1><p id=\"live\" role=\"status\">Load the page again to see \
         what changed.</p></header>\n<main id=\"main\">\n"
    )
}

/// Everything of a page after its own sections.
pub(super) fn end(page: &mut String) {
    page.push_str(
        "</main>\n<footer><a href=\"/docs\">API</a> · <a href=\"/openapi.json\">openapi.json</a> · \
         <a href=\"/version\">version</a></footer></body></html>\n",
    );
}

fn write_accounts(page: &mut String, accounts: &[Line]) {
    page.push_str("<table class=\"accounts\"><thead><tr><th scope=\"col\">Account</th>");
    for label in AccountFigures::LABELS {
        let _ = write!(page, "<th scope=\"col\">{label}</th>");
    }
    page.push_str("<th scope=\"col\">State</th><th scope=\"col\">Checked (UTC)</th></tr></thead>\n<tbody>\n");
    for line in accounts {
        let login = escaped(&line.login);
        let _ = write!(
            page,
            "<tr><th scope=\"row\"><a href=\"/console/why/{}\">{login}</a></th>",
            segment(&line.login)
        );
        let numbers = line.figures.as_ref().map(AccountFigures::numbers);
        for (place, label) in AccountFigures::LABELS.into_iter().enumerate() {
            let number = numbers.and_then(|numbers| numbers[place].1.as_deref()).unwrap_or("…");
            let _ = write!(
                page,
                "<td data-label=\"{label}\" data-key=\"{login}/{label}\">{}</td>",
                escaped(number)
            );
        }
        let (class, state) = if line.is_complete { ("good", "complete") } else { ("open", "counting") };
        let _ = write!(
            page,
            "<td data-label=\"State\"><span class=\"state {class}\">{state}</span></td><td data-label=\"Checked (UTC)\">"
        );
        match &line.checked {
            Some(at) => write_time(page, at),
            None => page.push_str("not yet"),
        }
        page.push_str("</td></tr>\n");
    }
    page.push_str("</tbody></table>\n");
}

fn write_deliveries(page: &mut String, deliveries: &[Delivery]) {
    page.push_str(
        "<table class=\"deliveries\"><thead><tr><th scope=\"col\">Accepted (UTC)</th><th scope=\"col\">Event</th>\
         <th scope=\"col\">Result</th><th scope=\"col\">Visible after</th><th scope=\"col\">Delivery</th></tr></thead>\n\
         <tbody>\n",
    );
    for delivery in deliveries {
        page.push_str("<tr><td data-label=\"Accepted (UTC)\">");
        write_time(page, &delivery.received_ms.to_second().to_string());
        let id = escaped(&delivery.id);
        let _ = writeln!(
            page,
            "</td><td data-label=\"Event\">{}</td><td data-label=\"Result\">{}</td><td data-label=\"Visible after\">{}</td>\
             <td data-label=\"Delivery\"><a href=\"/v1/deliveries/{}\">{id}</a></td></tr>",
            escaped(&delivery.event),
            delivery.outcome.as_str(),
            delivery.visible_ms.map_or("not yet".to_owned(), |visible| after(delivery.received_ms, visible)),
            segment(&delivery.id),
        );
    }
    page.push_str("</tbody></table>\n");
}

fn after(received: Millis, visible: Millis) -> String {
    let ms = visible.0.saturating_sub(received.0).max(0);
    if ms < 10_000 { format!("{ms} ms") } else { format!("{} s", ms / 1000) }
}

/// A time as RFC 3339, shown short.
pub(super) fn write_time(page: &mut String, at: &str) {
    let shown = at.trim_end_matches('Z').replace('T', " ");
    let _ = write!(page, "<time datetime=\"{at}\">{shown}</time>");
}
