//! GitHub itself: whether it answers, what it thinks of our token, how much is left, and what time it is there.

use domain::{Millis, Second};
use github::client::{AskError, Asking, RateBudget, Reception, WaitWhy};
use secrecy::SecretString;

use super::{Finding, hooks::unobserved};
use crate::{failure::Failure, serve::github_client, settings::Settings};

/// Clocks of machines that look after theirs differ by less than a second. What is this far ahead of ours counts as a
/// mistake of a clock in places, and times that people compare are wrong.
const CLOCK_SECONDS_MAX: i64 = 60;

/// So long before its end a token is to be renewed.
const TOKEN_DAYS_MIN: i64 = 14;
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// A tenth of the hour's requests.
const BUDGET_TENTH: u64 = 10;

/// What was found, and whether it makes sense to ask for more. Each token is looked at by itself.
pub(super) async fn look(settings: &Settings) -> Result<(bool, Vec<Finding>), Failure> {
    let tokens = &settings.github_tokens;
    if tokens.is_empty() {
        let (may_ask, mut findings) = look_with(settings, None).await?;
        if settings.github_app.is_some() {
            // Nobody needs a token who asks as an App, nor what is allowed without one.
            findings.retain(|finding| !matches!(finding.name, "token.missing" | "budget"));
        }
        return Ok((may_ask, findings));
    }
    let mut may_ask = true;
    let mut findings: Vec<Finding> = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        let (may, found) = look_with(settings, Some(token)).await?;
        // Webhooks are asked for with the first.
        may_ask &= may || place > 0;
        for finding in found {
            let is_of_token = finding.name.starts_with("token") || finding.name == "budget";
            if tokens.len() > 1 && is_of_token {
                findings.push(finding.about(format!("token {} of {}", place + 1, tokens.len())));
            } else if place == 0 {
                findings.push(finding);
            }
        }
    }
    Ok((may_ask, findings))
}

async fn look_with(
    settings: &Settings,
    token: Option<&SecretString>,
) -> Result<(bool, Vec<Finding>), Failure> {
    let github_tokens = token.into_iter().cloned().collect();
    let alone = Settings { github_tokens, github_app: None, ..settings.clone() };
    let client = github_client(&alone, unobserved()?)?;
    let now = Millis(boot::clock::now_ms()).to_second();
    let reception = match client.reception(&Asking::anew(now)).await {
        Ok(reception) => reception,
        Err(error) => return Ok((false, vec![refused(settings, &error)])),
    };
    if !reception.is_github {
        let found = format!("{} answers, but not as GitHub's API does", settings.github_api_url);
        let fix = "correct --github-api-url (TALLYHOOK_GITHUB_API_URL): https://api.github.com, or https://HOST/api/v3";
        return Ok((false, vec![Finding::broken("forge.address", found, fix)]));
    }
    let has_token = client.has_token();
    let mut findings = vec![judged_clock(reception.date, now), judged_token(has_token, &reception, now)];
    let may_ask = reception.budget.is_none_or(|budget| budget.remaining > 0);
    findings.extend(reception.budget.map(judged_budget));
    Ok((may_ask && has_token, findings))
}

fn refused(settings: &Settings, error: &AskError) -> Finding {
    match error {
        AskError::Final(sentence) if sentence.contains("401") => Finding::broken(
            "token.rejected",
            "GitHub does not accept the token (401): it is wrong, was revoked, or has ended",
            "make a new one at GitHub under Settings, Developer settings, and set TALLYHOOK_GITHUB_TOKEN",
        ),
        AskError::Wait { after, why: WaitWhy::Primary | WaitWhy::Secondary } => Finding::broken(
            "budget",
            format!("GitHub lets us ask nothing for {} s", after.as_secs()),
            "use a token of its own for Tallyhook, or a GitHub App",
        ),
        other => Finding::broken(
            "forge.unreachable",
            format!("{} does not answer: {other}", settings.github_api_url),
            "look whether this machine reaches it (DNS, firewall, proxy), and https://www.githubstatus.com",
        ),
    }
}

fn judged_clock(date: Option<Second>, now: Second) -> Finding {
    const NAME: &str = "clock";
    let Some(date) = date else { return Finding::good(NAME, "GitHub does not tell its time") };
    let ahead = now.0 - date.0;
    if ahead.abs() <= CLOCK_SECONDS_MAX {
        return Finding::good(NAME, format!("it differs from GitHub's by {} s", ahead.abs()));
    }
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    Finding::broken(
        NAME,
        format!("this machine's clock is {} s {side} GitHub's", ahead.abs()),
        "let it be set by NTP: timedatectl set-ntp true",
    )
}

fn judged_token(has_token: bool, reception: &Reception, now: Second) -> Finding {
    const NAME: &str = "token";
    const RENEW: &str =
        "make a new one at GitHub under Settings, Developer settings, and set TALLYHOOK_GITHUB_TOKEN";
    if !has_token {
        return Finding::warning(
            "token.missing",
            "without a token GitHub allows 60 requests an hour, and webhooks cannot be looked at",
            "set TALLYHOOK_GITHUB_TOKEN",
        );
    }
    match reception.token_ends {
        Some(ends) if ends.0 <= now.0 + TOKEN_DAYS_MIN * DAY_SECONDS => {
            Finding::warning("token.ends", format!("the token ends at {ends}"), RENEW)
        }
        Some(ends) => Finding::good(NAME, format!("GitHub accepts it until {ends}")),
        None => Finding::good(NAME, "GitHub accepts it"),
    }
}

fn judged_budget(budget: RateBudget) -> Finding {
    const NAME: &str = "budget";
    let RateBudget { limit, remaining, reset, .. } = budget;
    let found = format!("{remaining} of {limit} requests are left until {reset}");
    let fix = "let nothing else use the token, raise TALLYHOOK_RECONCILE, or keep fewer accounts";
    if remaining == 0 {
        Finding::broken(NAME, found, fix)
    } else if remaining < limit / BUDGET_TENTH {
        Finding::warning(NAME, found, fix)
    } else {
        Finding::good(NAME, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_budget_that_runs_out_is_told_before_it_is_used_up() {
        let verdict = |remaining| {
            judged_budget(RateBudget { resource: "core", limit: 5000, remaining, reset: Second(1) }).verdict
        };
        assert_eq!(
            (verdict(4000), verdict(499), verdict(0)),
            (Verdict::Good, Verdict::Warning, Verdict::Broken)
        );
    }

    #[test]
    fn a_clock_may_be_wrong_either_way() {
        for (ours, side) in [(1_000, "ahead of"), (-1_000, "behind")] {
            let finding = judged_clock(Some(Second(50_000)), Second(50_000 + ours));
            assert!(finding.verdict == Verdict::Broken && finding.found.contains(side), "{finding:?}");
        }
        assert_eq!(judged_clock(Some(Second(50_000)), Second(50_030)).verdict, Verdict::Good);
    }
}
