//! `GET /v1/gaps`, `/v1/gaps/{login}` and `/v1/gaps/{login}/{webhook}`: the gap ledger.

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use domain::ViewKey;
use http::{HeaderValue, Uri, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::moved;
use crate::{
    gaps::{AccountGaps, HookHour},
    protocol::{
        link::Paging,
        path::{Segments, segment},
        problem::{Members, Problem},
    },
    reading::{Found, Wanted},
    window::{Shared, Window},
};

const PATH: &str = "/v1/gaps";

/// The webhooks of a page of accounts.
#[derive(Serialize, ToSchema)]
#[schema(as = Gaps)]
struct All {
    /// The accounts that are kept, by login, also those of which no webhook is known.
    accounts: Vec<AccountGaps>,
}

/// The webhooks of one account, and their hours.
#[derive(Serialize, ToSchema)]
#[schema(as = GapsByTheHour)]
struct OfAccount {
    account: AccountGaps,
    /// The newest first; an hour in which nothing was sent is left out.
    hours: Vec<HookHour>,
}

/// What GitHub sent to us, what of it is held, was repaired, and is open.
///
/// Of the accounts that are kept, a page at a time; `Link` leads to the others. Of webhooks that GitHub shows to our
/// token. While something is open, what it may be about is not called complete.
#[utoipa::path(
    get,
    operation_id = "listGaps",
    path = "/v1/gaps",
    tag = "deliveries",
    params(
        ("page" = Option<u32>, Query, description = "From 1.", minimum = 1),
        ("per_page" = Option<u32>, Query, description = "30 unless told, at most 100.", minimum = 1, maximum = 100)
    ),
    responses(
        (status = 200, description = "A page.", body = All,
            headers(("Link" = Option<String>, description = "`next`, `prev`, `first` and `last`, as far as there are such pages."))),
        (status = 400, description = "`page` or `per_page` is no number.", body = Members<'static>, content_type = "application/problem+json")
    )
)]
pub(super) async fn list(State(window): State<Shared>, request: Request) -> Result<Response, Problem> {
    let paging = Paging::read(request.uri())?;
    let (accounts, total) = window.gaps(paging).await?;
    Ok(page(Json(All { accounts }).into_response(), paging, PATH, total))
}

/// What the webhooks of an account sent, by the hour.
#[utoipa::path(
    get,
    operation_id = "getGaps",
    path = "/v1/gaps/{login}",
    tag = "deliveries",
    params(
        ("login" = String, Path, description = "A user or an organisation."),
        ("page" = Option<u32>, Query, description = "From 1.", minimum = 1),
        ("per_page" = Option<u32>, Query, description = "30 hours unless told, at most 100.", minimum = 1, maximum = 100)
    ),
    responses(
        (status = 200, description = "A page of hours.", body = OfAccount,
            headers(("Link" = Option<String>, description = "`next`, `prev`, `first` and `last`, as far as there are such pages."))),
        (status = 301, description = "It has another login now: see `Location`."),
        (status = 400, description = "`page` or `per_page` is no number.", body = Members<'static>, content_type = "application/problem+json")
    )
)]
pub(super) async fn of_account(
    State(window): State<Shared>,
    Segments(login): Segments<String>,
    request: Request,
) -> Result<Response, Problem> {
    read(&window, &login, None, request.uri()).await
}

/// What one webhook sent, by the hour.
#[utoipa::path(
    get,
    operation_id = "getGapsOfWebhook",
    path = "/v1/gaps/{login}/{webhook}",
    tag = "deliveries",
    params(
        ("login" = String, Path, description = "A user or an organisation."),
        ("webhook" = u64, Path, description = "GitHub's id of the webhook."),
        ("page" = Option<u32>, Query, description = "From 1.", minimum = 1),
        ("per_page" = Option<u32>, Query, description = "30 hours unless told, at most 100.", minimum = 1, maximum = 100)
    ),
    responses(
        (status = 200, description = "A page of hours.", body = OfAccount,
            headers(("Link" = Option<String>, description = "`next`, `prev`, `first` and `last`, as far as there are such pages."))),
        (status = 301, description = "The account has another login now: see `Location`."),
        (status = 400, description = "`page` or `per_page` is no number.", body = Members<'static>, content_type = "application/problem+json")
    )
)]
pub(super) async fn of_webhook(
    State(window): State<Shared>,
    Segments((login, webhook)): Segments<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let webhook: u64 = webhook.parse().map_err(|_| Problem::not_found())?;
    read(&window, &login, Some(webhook), request.uri()).await
}

async fn read(window: &Window, login: &str, webhook: Option<u64>, uri: &Uri) -> Result<Response, Problem> {
    let paging = Paging::read(uri)?;
    let Found::Shown(shown) = window.find(login, Wanted::Account(ViewKey::RepositoryIndex)).await? else {
        return Err(Problem::not_found());
    };
    let present = shown.ready().meta.name.clone();
    let mut path = format!("{PATH}/{}", segment(&present));
    if let Some(webhook) = webhook {
        path = format!("{path}/{webhook}");
    }
    if !present.eq_ignore_ascii_case(login) {
        return Ok(moved(window, &path, uri));
    }
    let (account, hours, total) = window.gap_hours((present, shown.account), webhook, paging).await?;
    Ok(page(Json(OfAccount { account, hours }).into_response(), paging, &path, total))
}

/// It is true of the moment.
fn page(mut response: Response, paging: Paging, path: &str, total: usize) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(link) = paging.link(path, total) {
        headers.insert(header::LINK, link);
    }
    response
}
