//! What a hook has sent within the last three days, and sending it again.

use super::Context;
use crate::{
    hooks::Wanted,
    model::HookId,
    server::{paging::Page, reply::Reply, route::Question},
    wire,
};

/// `GET …/deliveries`, `GET …/deliveries/{delivery}`
/// `of` is the hook's own address.
pub(super) fn read(context: Context<'_>, hook: HookId, of: &str, rest: &[&str]) -> Reply {
    match rest {
        [] => list(context, hook, of),
        [id] => {
            let found = id.parse().ok().and_then(|id| context.dispatcher.one(hook, id, context.now));
            let Some((delivery, headers)) = found else { return Reply::not_found() };
            let shows_payload = context.dispatcher.shows_payloads();
            Reply::json(wire::object(|o| {
                wire::delivery(o, &delivery, &headers, shows_payload);
            }))
        }
        _ => Reply::not_found(),
    }
}

/// The newest first; the way on is in `Link` alone, and its cursor says nothing to others.
fn list(context: Context<'_>, hook: HookId, of: &str) -> Reply {
    let query = context.query;
    let before = match query.get("cursor").map(|cursor| cursor.strip_prefix("v1_").unwrap_or(cursor).parse())
    {
        None => None,
        Some(Ok(before)) => Some(before),
        Some(Err(_)) => return Reply::error(422, "Invalid cursor"),
    };
    let success = match query.get("status") {
        None => None,
        Some("success") => Some(true),
        Some("failure") => Some(false),
        Some(_) => return Reply::error(422, "Invalid status"),
    };
    let size = Page::of(query).size;
    let wanted = Wanted { hook, success, before, count_max: size + 1 };
    let mut found = context.dispatcher.page(wanted, context.now);
    let has_more = found.len() > size;
    found.truncate(size);
    let link = found.last().filter(|_| has_more).map(|last| {
        let status = query.get("status").map(|status| format!("&status={status}")).unwrap_or_default();
        format!("<{of}/deliveries?per_page={size}&cursor=v1_{}{status}>; rel=\"next\"", last.number())
    });
    let body = wire::list(&found, |items, delivery| {
        items.object(|o| wire::listed_delivery(o, delivery));
    });
    Reply::json(body).with_link(link)
}

/// `POST …/deliveries/{delivery}/attempts`: the same payload with the same GUID.
pub(super) fn attempt(question: &Question<'_>, hook: HookId, id: &str) -> Reply {
    let found = id.parse().ok().and_then(|id| question.dispatcher.one(hook, id, question.now));
    match found {
        Some((delivery, _)) => {
            question.dispatcher.attempt_again(delivery, question.now);
            Reply::json("{}").with_status(202)
        }
        None => Reply::not_found(),
    }
}
