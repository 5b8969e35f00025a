//! What the forges still allow, as HTML.

use std::fmt::Write as _;

use super::page;
use crate::{markup::escaped, planner::ForgeBudget};

/// Of who spends so many are named: those who spent most.
const SPENDERS_MAX: usize = 3;

/// The section of the console; `None`: this process asks no forge.
pub(super) fn write_section(page: &mut String, budgets: Option<&[ForgeBudget]>) {
    page.push_str("<section aria-labelledby=\"budget\"><h2 id=\"budget\">Budget</h2>\n");
    let Some(budgets) = budgets else {
        page.push_str(
            "<p>Unknown here: this process asks no forge. The metrics of those that do tell what is left \
             (<code>tallyhook_github_rate_remaining</code>).</p>\n</section>\n",
        );
        return;
    };
    if budgets.iter().all(|budget| budget.limits.is_empty()) {
        page.push_str("<p>No forge has told of its limits yet.</p>\n</section>\n");
        return;
    }
    page.push_str(
        "<table class=\"budget\"><thead><tr><th scope=\"col\">Limit</th><th scope=\"col\">Left</th>\
         <th scope=\"col\">Of</th><th scope=\"col\">Kept for repair</th><th scope=\"col\">Spent by us on</th>\
         <th scope=\"col\">All again (UTC)</th></tr></thead>\n<tbody>\n",
    );
    for budget in budgets {
        for limit in &budget.limits {
            let token = if limit.token > 1 { format!(", token {}", limit.token) } else { String::new() };
            let _ = write!(
                page,
                "<tr><th scope=\"row\">{} {}{token}</th><td data-label=\"Left\">{}</td><td data-label=\"Of\">{}</td>\
                 <td data-label=\"Kept for repair\">{}</td><td data-label=\"Spent by us on\">{}</td>\
                 <td data-label=\"All again (UTC)\">",
                escaped(budget.forge),
                escaped(limit.resource),
                limit.remaining,
                limit.limit,
                limit.reserved,
                spent(&limit.spent),
            );
            page::write_time(page, &limit.reset);
            page.push_str("</td></tr>\n");
        }
    }
    page.push_str("</tbody></table>\n</section>\n");
}

fn spent(spent: &std::collections::BTreeMap<&'static str, u64>) -> String {
    let mut most: Vec<(u64, &str)> =
        spent.iter().filter(|(_, count)| **count > 0).map(|(by, count)| (*count, *by)).collect();
    most.sort_unstable_by(|one, other| other.cmp(one));
    let named: Vec<String> =
        most.iter().take(SPENDERS_MAX).map(|(count, by)| format!("{} {count}", escaped(by))).collect();
    if named.is_empty() { "nothing".to_owned() } else { named.join(", ") }
}
