//! Why the numbers of a repository are what they are: the steps that the projector wrote beside them
//! ([`domain::trail`]), put together with the view that shows them.
//!
//! Both are read a moment apart. A chain that does not end in the number that is shown is not served: both are read
//! again, and after some attempts the chain is left out.

use bytes::Bytes;
use domain::{
    RepoId, Second, StreamKey, Version,
    trail::{
        Teller,
        chain::{Beginning, Chain, NUMBERS, Number, Placed, Trail},
    },
    view::body::{self, Meta},
};
use event_log::{Partition, Position};
use futures::TryStreamExt as _;
use serde::Serialize;
use serde_json::Value;

use crate::{protocol::problem::Problem, reading::Shown, ready::Ready, rows::ReadError, window::Window};

/// Of each number, where several are asked for.
const STEPS_OF_EACH: usize = 4;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    /// Which of all numbers.
    numbers: [bool; NUMBERS.len()],
    /// How many steps of each at most.
    steps_max: usize,
}

/// Why the numbers of a repository are what they are.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct Payload<'a> {
    /// `owner/name`.
    repository: &'a str,
    fields: Vec<Explained<'a>>,
    /// As the repository's own payload has it.
    #[schema(value_type = domain::view::freshness::Freshness<'static>)]
    freshness: &'a Value,
}

/// A number, and the steps by which it became what it is. `base.value` and each step's `before` and `after` make a chain
/// that ends in `value`.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ExplainedField)]
struct Explained<'a> {
    /// `counts.commits`, say; `languages` is the bytes of all languages together.
    field: &'static str,
    /// The number that is shown; null while it is not known.
    value: Option<u64>,
    /// Why the number may be wrong, or is not known: as in `freshness.missing`.
    missing: Option<&'a str>,
    base: Base,
    /// The oldest first.
    steps: Vec<Step<'a>>,
}

/// What the first step began from.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ExplainedBase)]
struct Base {
    value: Option<u64>,
    /// `unknown`: nothing was known before. `older`: older steps are not listed, or kept no more. `hidden`: before, the
    /// repository was shown to nobody. `unrecorded`: what came before was not recorded.
    reason: &'static str,
    /// What came in the log before this position is in the base: partition and offset.
    before: Option<String>,
}

/// A record that changed the number, left it in doubt, or settled it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ExplainedStep)]
struct Step<'a> {
    by: By,
    /// The delivery's id, as `X-GitHub-Delivery` has it.
    delivery: Option<&'a str>,
    /// The delivery's event.
    event: Option<&'a str>,
    /// What the forge was asked for.
    request: Option<&'a str>,
    /// By the forge's clock: the newest time in a delivery, the `Date` of an answer.
    #[schema(format = DateTime)]
    forge_time: Option<String>,
    /// When it was received, by ours.
    #[schema(format = DateTime)]
    received_at: String,
    /// Where it is in the log: partition and offset.
    position: String,
    before: Option<u64>,
    after: Option<u64>,
    doubt: Option<Doubt>,
}

/// Who told.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ExplainedBy)]
enum By {
    /// The forge, by itself.
    Delivery,
    /// The forge, because it was asked.
    Request,
    /// A person, or this service.
    Command,
}

/// What became of doubt about the number.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ExplainedDoubt)]
enum Doubt {
    /// It is in doubt from here on.
    Raised,
    /// It was in doubt, and still is.
    Open,
    /// It was in doubt until here.
    Settled,
}

impl Wish {
    /// Reads the name of a number, or of several by what their names begin with; `None`: all.
    pub(crate) fn read(field: Option<&str>) -> Result<Self, Problem> {
        let Some(field) = field else {
            return Ok(Wish { numbers: [true; NUMBERS.len()], steps_max: STEPS_OF_EACH });
        };
        let is_meant = |number: Number| {
            number.name.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let numbers = NUMBERS.map(is_meant);
        match numbers.iter().filter(|is_meant| **is_meant).count() {
            0 => Err(Problem::bad_request(format!("`field` must be one of: {}", names()))),
            1 => Ok(Wish { numbers, steps_max: usize::MAX }),
            _ => Ok(Wish { numbers, steps_max: STEPS_OF_EACH }),
        }
    }

    fn numbers(&self) -> impl Iterator<Item = Number> {
        NUMBERS.into_iter().zip(self.numbers).filter_map(|(number, is_meant)| is_meant.then_some(number))
    }
}

fn names() -> String {
    NUMBERS.map(|number| number.name).join(", ")
}

/// Explains what a view shows. `None`: a chain ends in another number; both are to be read again, unless `is_last`.
pub(crate) async fn of(
    window: &Window,
    shown: &Shown,
    wish: &Wish,
    is_last: bool,
) -> Result<Option<Ready>, Problem> {
    let view = shown.ready();
    let told: Value = serde_json::from_slice(view.identity()?).map_err(|_| Problem::unreadable())?;
    let repo = told["repository"]["id"].as_u64().map(RepoId::github).ok_or_else(Problem::unreadable)?;
    let trail = read(window, shown, repo).await?;
    let partition = window.log.partition_of(StreamKey::Account(shown.account));
    let mut newest = shown.version();
    let mut fields = Vec::new();
    for number in wish.numbers() {
        let value = value(&told, number);
        let chain = match trail.chain(number, value, shown.version(), wish.steps_max) {
            Some(chain) => chain,
            None if is_last => Chain::unrecorded(value),
            None => return Ok(None),
        };
        newest = chain.steps.last().map_or(newest, |step| newest.max(step.version));
        fields.push(explained(number, value, missing(&told, number), &chain, partition));
    }
    let payload = Payload { repository: &view.meta.name, fields, freshness: &told["freshness"] };
    let payload = Bytes::from(serde_json::to_vec(&payload).expect("a payload of plain values serializes"));
    let meta = Meta {
        hash: body::hash(&payload),
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        as_of: view.meta.as_of,
        checked_ms: view.meta.checked_ms,
        complete: view.meta.complete,
        name: view.meta.name.clone(),
    };
    Ok(Some(Ready::joined(payload, meta, Position { partition, offset: newest.offset() })))
}

/// The steps that are kept: at most some hundred small rows.
async fn read(window: &Window, shown: &Shown, repo: RepoId) -> Result<Trail, ReadError> {
    let range = domain::ScanKey::Trail(shown.account, repo);
    let rows = async { window.store.scan(&range).await?.try_collect::<Vec<_>>().await }.await;
    match rows {
        Ok(rows) => Trail::read(rows).map_err(|error| {
            tracing::error!(%error, "a step cannot be read: written by a newer release, or damaged");
            ReadError::Unreadable
        }),
        // An older generation may have no table for them.
        Err(_) if window.shows_older() => Ok(Trail::default()),
        Err(error) => {
            tracing::warn!(%error, "the steps of a repository could not be read");
            Err(ReadError::Unavailable)
        }
    }
}

fn value(told: &Value, number: Number) -> Option<u64> {
    let value = told.pointer(&format!("/{}", number.name.replace('.', "/")))?;
    match value.as_object() {
        Some(languages) => languages.values().map(|language| language["bytes"].as_u64()).sum(),
        None => value.as_u64(),
    }
}

fn missing(told: &Value, number: Number) -> Option<&str> {
    let gaps = told["freshness"]["missing"].as_array()?;
    let is_of_it = |gap: &&Value| {
        let field = gap["field"].as_str();
        field
            .and_then(|field| number.name.strip_prefix(field))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    gaps.iter().find(is_of_it)?["reason"].as_str()
}

fn explained<'a>(
    number: Number,
    value: Option<u64>,
    missing: Option<&'a str>,
    chain: &Chain<'a>,
    partition: Partition,
) -> Explained<'a> {
    let position = |version: Version| Position { partition, offset: version.offset() }.to_string();
    let base = Base {
        value: chain.base,
        reason: match chain.beginning {
            Beginning::Unknown => "unknown",
            Beginning::Older => "older",
            Beginning::Hidden => "hidden",
            Beginning::Unrecorded => "unrecorded",
        },
        before: chain.since.map(position),
    };
    let steps = chain.steps.iter().map(|placed| step(placed, number, position(placed.version)));
    Explained { field: number.name, value, missing, base, steps: steps.collect() }
}

fn step(placed: &Placed, number: Number, position: String) -> Step<'_> {
    let told = &placed.step;
    let some = |text: &str| !text.is_empty();
    let (by, event, request) = match told.teller {
        Teller::Delivery => (By::Delivery, Some(told.what.as_str()), None),
        Teller::Answer => (By::Request, None, Some(told.what.as_str())),
        Teller::Command => (By::Command, None, None),
    };
    Step {
        by,
        delivery: Some(told.id.as_str()).filter(|id| some(id) && told.teller == Teller::Delivery),
        event: event.filter(|event| some(event)),
        request: request.filter(|request| some(request)),
        forge_time: (told.at > Second(0)).then(|| told.at.to_string()),
        received_at: told.received_ms.to_string(),
        position,
        before: placed.before(number),
        after: placed.after(number),
        doubt: match told.marks.doubt() {
            (false, false) => None,
            (false, true) => Some(Doubt::Raised),
            (true, true) => Some(Doubt::Open),
            (true, false) => Some(Doubt::Settled),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(field: &str) -> Option<Vec<&'static str>> {
        Wish::read(Some(field)).ok().map(|wish| wish.numbers().map(|number| number.name).collect())
    }

    #[test]
    fn a_field_is_one_number_or_those_under_it() {
        assert_eq!(meant("counts.commits"), Some(vec!["counts.commits"]));
        assert_eq!(meant("counts.pull_requests").map(|names| names.len()), Some(4));
        assert_eq!(meant("counts").map(|names| names.len()), Some(9));
        for none in ["", "count", "counts.", "counts.commit", "counts.pull_requests.draft", "Counts.commits"]
        {
            assert_eq!(meant(none), None, "{none:?}");
        }
        assert_eq!(Wish::read(None).unwrap().numbers().count(), NUMBERS.len());
    }

    #[test]
    fn numbers_and_gaps_are_read_from_the_payload() {
        let told = serde_json::json!({
            "counts": {"commits": 3, "pull_requests": {"total": 2, "open": null}, "stars": null},
            "languages": {"C": {"bytes": 4, "share": 0.4}, "Rust": {"bytes": 6, "share": 0.6}},
            "freshness": {"missing": [{"field": "counts.pull_requests", "reason": "loading"}]}
        });
        let read = |name: &str| {
            let number = NUMBERS.into_iter().find(|number| number.name == name).unwrap();
            (value(&told, number), missing(&told, number))
        };
        assert_eq!(read("counts.commits"), (Some(3), None));
        assert_eq!(read("counts.pull_requests.total"), (Some(2), Some("loading")));
        assert_eq!(read("counts.pull_requests.open"), (None, Some("loading")));
        assert_eq!(read("counts.stars"), (None, None));
        assert_eq!(read("counts.forks"), (None, None));
        assert_eq!(read("languages"), (Some(10), None));
    }
}
