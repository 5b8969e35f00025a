//! `tallyhook backfill`: ask about an account now, and watch it; or tell what that would cost.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    admin::Admin,
    failure::{Failure, failed},
};

/// How often the progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

#[derive(Deserialize)]
struct Status {
    open: bool,
    progress: Option<Progress>,
    complete: bool,
}

#[derive(Deserialize)]
struct Progress {
    done: u64,
    total: u64,
}

#[derive(Deserialize)]
struct Plan {
    repositories: Option<u64>,
    requests: Option<u64>,
    queries: Option<u64>,
    points: Option<u64>,
    budget_share: Option<f64>,
    seconds: Option<u64>,
    note: String,
}

pub(crate) async fn run(admin: &Admin, login: &str, plan: bool) -> Result<(), Failure> {
    if plan {
        return show_plan(admin, login).await;
    }
    let _: Value = admin.post("/admin/backfill", &json!({ "login": login })).await?;
    let bar = progress_bar(login)?;
    let status = loop {
        let status: Status = admin.get(&format!("/admin/backfill/{login}")).await?;
        if !status.open {
            break status;
        }
        if let Some(Progress { done, total }) = status.progress {
            bar.set_length(total);
            bar.set_position(done);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    bar.finish_and_clear();
    let complete = if status.complete { "everything is known" } else { "not everything is known yet" };
    println!("{login} was read from GitHub; {complete}");
    Ok(())
}

async fn show_plan(admin: &Admin, login: &str) -> Result<(), Failure> {
    let plan: Plan = admin.post("/admin/backfill/plan", &json!({ "login": login })).await?;
    if let (Some(repositories), Some(requests)) = (plan.repositories, plan.requests) {
        println!("repositories   {repositories}");
        println!("requests       {requests}");
        if let (Some(queries @ 1..), Some(points)) = (plan.queries, plan.points) {
            println!("GraphQL        {queries} queries, {points} points");
        }
        println!("budget         {:.1} % of an hour's", plan.budget_share.unwrap_or_default() * 100.0);
        println!("time           about {} s", plan.seconds.unwrap_or_default());
    }
    println!("{}", plan.note);
    Ok(())
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar(login: &str) -> Result<ProgressBar, Failure> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let style =
        ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} repositories {eta}").map_err(failed)?;
    let bar = ProgressBar::new(0).with_style(style).with_message(login.to_owned());
    bar.enable_steady_tick(LOOK_EVERY);
    Ok(bar)
}
