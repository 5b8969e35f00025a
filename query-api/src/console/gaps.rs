//! The gap ledger as HTML: the webhooks on the console, and the hours of one account on a page of their own.

use std::fmt::Write as _;

use super::page;
use crate::{
    gaps::{AccountGaps, HookHour, State, Touches, Webhook},
    markup::escaped,
    protocol::{link::Paging, path::segment},
};

/// So many webhooks stand on the console; the ledger has all.
const WEBHOOKS_MAX: usize = 20;

/// The section of the console: those with something open first.
pub(super) fn write_section(page: &mut String, accounts: &[AccountGaps]) {
    let mut all: Vec<(&str, &Webhook)> = accounts
        .iter()
        .flat_map(|account| account.webhooks.iter().map(|webhook| (account.login.as_str(), webhook)))
        .collect();
    let open = all.iter().filter(|(_, webhook)| webhook.open_hours > 0).count();
    let _ = writeln!(
        page,
        "<section aria-labelledby=\"gaps\"><h2 id=\"gaps\">Webhooks <small>{} known, {open} with gaps</small></h2>",
        all.len()
    );
    if all.is_empty() {
        page.push_str(
            "<p>GitHub shows our token no webhook that sends here, so nobody can tell whether all that was sent arrived.</p>\n",
        );
    } else {
        all.sort_by_key(|(login, webhook)| (webhook.open_hours == 0, login.to_lowercase(), webhook.id));
        let left_out = all.len().saturating_sub(WEBHOOKS_MAX);
        write_webhooks(page, all.into_iter().take(WEBHOOKS_MAX));
        if left_out > 0 {
            let _ = writeln!(page, "<p>{left_out} more: <a href=\"/v1/gaps\">/v1/gaps</a> lists all.</p>");
        }
    }
    page.push_str("</section>\n");
}

fn write_webhooks<'a>(page: &mut String, webhooks: impl Iterator<Item = (&'a str, &'a Webhook)>) {
    page.push_str(
        "<table class=\"webhooks\"><thead><tr><th scope=\"col\">Webhook</th><th scope=\"col\">Sent</th>\
         <th scope=\"col\">Held</th><th scope=\"col\">Repaired</th><th scope=\"col\">Swept</th><th scope=\"col\">Open</th>\
         <th scope=\"col\">State</th><th scope=\"col\">Looked at (UTC)</th></tr></thead>\n<tbody>\n",
    );
    for (login, webhook) in webhooks {
        let _ = write!(
            page,
            "<tr><th scope=\"row\"><a href=\"/console/gaps/{}\">{}</a> <small>{} {}</small></th>",
            segment(login),
            escaped(login),
            webhook.kind,
            webhook.id
        );
        let counts = [webhook.sent, webhook.held, webhook.repaired, webhook.swept, webhook.open];
        for (label, count) in LABELS.into_iter().zip(counts) {
            let _ = write!(page, "<td data-label=\"{label}\">{count}</td>");
        }
        let state = match webhook.open_hours {
            0 => "<span class=\"state good\">no gaps</span>".to_owned(),
            1 => "<span class=\"state open\">1 hour open</span>".to_owned(),
            hours => format!("<span class=\"state open\">{hours} hours open</span>"),
        };
        let _ = write!(page, "<td data-label=\"State\">{state}</td><td data-label=\"Looked at (UTC)\">");
        page::write_time(page, &webhook.looked_at);
        page.push_str("</td></tr>\n");
    }
    page.push_str("</tbody></table>\n");
}

const LABELS: [&str; 5] = ["Sent", "Held", "Repaired", "Swept", "Open"];

/// The page of one account: a page of its hours.
pub(super) fn of(account: &AccountGaps, hours: &[HookHour], (paging, total): (Paging, usize)) -> String {
    let login = escaped(&account.login);
    let mut page = page::begin(&format!("Gaps of {login}"), page::Script::None);
    let _ = writeln!(
        page,
        "<section aria-labelledby=\"webhooks\"><h2 id=\"webhooks\">Webhooks of <a href=\"/v1/accounts/{}\">{login}</a> \
         <small>the last thirty days</small></h2>",
        segment(&account.login)
    );
    if account.webhooks.is_empty() {
        page.push_str("<p>GitHub shows our token no webhook of this account that sends here.</p>\n");
    } else {
        write_webhooks(&mut page, account.webhooks.iter().map(|webhook| (account.login.as_str(), webhook)));
        page.push_str(
            "<p>Held came by itself, repaired was taken from GitHub&#39;s record, swept could not be had and everything that it \
             may have been about was asked again. Open is missing: what it touches is not called complete.</p>\n",
        );
    }
    page.push_str("</section>\n<section aria-labelledby=\"hours\"><h2 id=\"hours\">Hours <small>of GitHub&#39;s clock, in UTC</small></h2>\n");
    if hours.is_empty() {
        page.push_str("<p>Nothing was sent.</p>\n");
    } else {
        write_hours(&mut page, hours);
    }
    write_ways(&mut page, &account.login, paging, total);
    page.push_str("</section>\n");
    page::end(&mut page);
    page
}

fn write_hours(page: &mut String, hours: &[HookHour]) {
    page.push_str(
        "<table class=\"hours\"><thead><tr><th scope=\"col\">Hour</th><th scope=\"col\">Sent</th><th scope=\"col\">Held</th>\
         <th scope=\"col\">Repaired</th><th scope=\"col\">Swept</th><th scope=\"col\">Open</th><th scope=\"col\">State</th>\
         <th scope=\"col\">Webhook</th><th scope=\"col\">May touch</th></tr></thead>\n<tbody>\n",
    );
    for hour in hours {
        page.push_str("<tr><th scope=\"row\">");
        page::write_time(page, &hour.hour);
        page.push_str("</th>");
        let counts = [hour.sent, hour.held, hour.repaired, hour.swept, hour.open];
        for (label, count) in LABELS.into_iter().zip(counts) {
            let _ = write!(page, "<td data-label=\"{label}\">{count}</td>");
        }
        let (class, state) = match (hour.state, hour.seen) {
            (State::Whole, _) => ("good", "whole"),
            (State::Closed, true) => ("good", "closed"),
            (State::Closed, false) => ("good", "closed, not all seen"),
            (State::Open, true) => ("open", "open"),
            (State::Open, false) => ("open", "open, not all seen"),
        };
        let _ = writeln!(
            page,
            "<td data-label=\"State\"><span class=\"state {class}\">{state}</span></td><td data-label=\"Webhook\">{}</td>\
             <td data-label=\"May touch\">{}</td></tr>",
            hour.webhook,
            touches(&hour.touches)
        );
    }
    page.push_str("</tbody></table>\n");
}

fn touches(touches: &Touches) -> String {
    let whole = match (touches.anything, touches.account) {
        (true, _) => Some("anything of the account".to_owned()),
        (false, true) => Some("the account".to_owned()),
        (false, false) => None,
    };
    let repositories = touches.repositories.iter().map(|name| match name.split_once('/') {
        Some((owner, repo)) => {
            format!("<a href=\"/v1/repos/{}/{}\">{}</a>", segment(owner), segment(repo), escaped(name))
        }
        None => escaped(name),
    });
    let all: Vec<String> = whole.into_iter().chain(repositories).collect();
    if all.is_empty() { "–".to_owned() } else { all.join(", ") }
}

/// To the hours before and after.
fn write_ways(page: &mut String, login: &str, paging: Paging, total: usize) {
    let Paging { page: number, per_page } = paging;
    let mut way = |number: usize, words: &str| {
        let login = segment(login);
        let _ = write!(
            page,
            " <a href=\"/console/gaps/{login}?page={number}&amp;per_page={per_page}\">{words}</a>"
        );
    };
    if number > 1 {
        way(number - 1, "Newer hours");
    }
    if number.saturating_mul(per_page) < total {
        way(number + 1, "Older hours");
    }
    page.push('\n');
}
