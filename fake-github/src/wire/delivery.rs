//! Deliveries, as the API shows them afterwards.

use http::HeaderMap;

use super::json::Object;
use crate::hooks::{Delivery, Outcome};

/// The fields of a delivery in a list.
pub(crate) fn listed_delivery(o: &mut Object<'_>, delivery: &Delivery) {
    let (code, status) = came_to(delivery.outcome);
    o.number("id", delivery.id);
    o.text("guid", &delivery.guid);
    o.text("delivered_at", delivery.ended.map_or(delivery.at, |(at, _)| at));
    o.flag("redelivery", delivery.redelivery);
    o.json("duration", "0.02");
    o.text("status", status);
    o.number("status_code", code);
    o.text("event", delivery.event);
    o.optional_text("action", delivery.action);
    // An App's deliveries are not shown yet.
    o.null("installation_id");
    match delivery.repository {
        Some(id) => o.number("repository_id", id.0),
        None => o.null("repository_id"),
    }
    o.null("throttled_at");
}

/// The fields of a delivery that is asked for by itself; without its payload where GitHub shows none.
pub(crate) fn delivery(o: &mut Object<'_>, delivery: &Delivery, headers: &HeaderMap, shows_payload: bool) {
    listed_delivery(o, delivery);
    o.text("url", &delivery.to.settings.url);
    o.object("request", |o| {
        o.object("headers", |o| {
            for (name, value) in headers {
                o.text(&canonical(name.as_str()), value.to_str().unwrap_or_default());
            }
        });
        match std::str::from_utf8(&delivery.payload).ok().filter(|_| shows_payload) {
            Some(payload) => o.json("payload", payload),
            None => o.null("payload"),
        }
    });
    o.object("response", |o| {
        o.object("headers", |_| {});
        o.null("payload");
    });
}

/// The status and its words.
fn came_to(outcome: Outcome) -> (u16, String) {
    match outcome {
        Outcome::Answered(code @ 200..=299) => (code, "OK".to_owned()),
        Outcome::Answered(code) => (code, format!("Invalid HTTP Response: {code}")),
        Outcome::TimedOut => (504, "timed out".to_owned()),
        Outcome::Unreachable | Outcome::Lost | Outcome::Pending => {
            (502, "failed to connect to host".to_owned())
        }
    }
}

/// `x-github-event` as GitHub shows it: `X-GitHub-Event`.
fn canonical(name: &str) -> String {
    let words = name.split('-').map(|word| match word {
        "github" => "GitHub".to_owned(),
        "id" => "ID".to_owned(),
        _ => {
            let mut word = word.to_owned();
            word[..1].make_ascii_uppercase();
            word
        }
    });
    words.collect::<Vec<_>>().join("-")
}
