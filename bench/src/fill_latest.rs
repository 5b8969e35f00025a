//! A log that holds the newest hundred public repositories, as backfill would have appended them: about 65 kB as S4
//! shows them.

use std::path::Path;

use domain::{
    AccountId, Asked, Event, Millis, RepoId, Second, StreamKey, Version,
    event::{LatestFacts, LatestFeatures, LatestLanguages, LatestList, LatestReading, LatestTold},
    record::{ANSWER, Answer},
};
use event_log::{EmbeddedLog, EmbeddedLogSettings, EventLog, Record};

use crate::shape::EPOCH_SECONDS;

/// As many as are shown.
const COUNT: u64 = 100;
/// Ids of our days have ten digits.
const FIRST: u64 = 1_140_000_000;

/// What some repositories are written in, and under which licence; `None` in the rest.
pub(crate) const LANGUAGES: [&str; 8] =
    ["Rust", "Go", "Python", "TypeScript", "JavaScript", "C++", "Jupyter Notebook", "HTML"];
const LICENSES: [&str; 3] = ["MIT License", "Apache License 2.0", "GNU General Public License v3.0"];
/// Parts of names.
pub(crate) const WORDS: [&str; 10] =
    ["portfolio", "website", "api", "bot", "learning", "notes", "engine", "shop", "tracker", "demo"];

/// Makes the log of a folder.
pub(crate) async fn fill_latest(folder: &Path) -> anyhow::Result<()> {
    let log = EmbeddedLog::open(folder, EmbeddedLogSettings::default())?;
    let at = Millis(boot::clock::now_ms());
    let reading = LatestReading {
        list: Some(LatestList {
            after: 0,
            through: FIRST + COUNT,
            is_to_the_end: true,
            repositories: Vec::new(),
        }),
        told: (0..COUNT).map(|place| LatestTold { facts: facts(place), etag: None }).collect(),
        languages: (0..COUNT).map(languages).collect(),
        ..LatestReading::default()
    };
    let asked = Asked { asked_at: Version::LEAST, asked_ms: at, date: at.to_second() };
    let answer = Answer { asked, events: vec![Event::Latest(Box::new(reading))], cursors: Vec::new() };
    let record = Record {
        stream: StreamKey::Service,
        id: "bench".to_owned(),
        dedupe: None,
        kind: ANSWER.to_owned(),
        received_at: at,
        headers: Vec::new(),
        body: answer.encode().into(),
    };
    log.append(vec![record]).await?;
    Ok(())
}

/// Spreads places over a list, so that properties mix.
fn pick<'a>(list: &[&'a str], place: u64, step: u64) -> &'a str {
    let length = list.len() as u64;
    list[usize::try_from(place * step / 3 % length).expect("within the list")]
}

fn facts(place: u64) -> LatestFacts {
    let id = FIRST + place;
    let owner = format!("person-{place:03}");
    let name = format!("{}-{}-{place:02}", pick(&WORDS, place, 3), pick(&WORDS, place, 7));
    LatestFacts {
        id: RepoId::github(id),
        owner_id: Some(AccountId::github(1_000 + place)),
        html_url: format!("https://github.com/{owner}/{name}"),
        languages_url: format!("https://api.github.com/repos/{owner}/{name}/languages"),
        owner,
        name,
        description: place.is_multiple_of(2).then(|| "What it is for".to_owned()),
        created_at: Some(Second(EPOCH_SECONDS)),
        updated_at: Some(Second(EPOCH_SECONDS + 7)),
        pushed_at: Some(Second(EPOCH_SECONDS + 7)),
        size: Some(place * 13),
        language: (!place.is_multiple_of(5)).then(|| pick(&LANGUAGES, place, 5).to_owned()),
        license: place.is_multiple_of(4).then(|| pick(&LICENSES, place, 2).to_owned()),
        forks: Some(place % 3),
        open_issues: Some(place % 2),
        watchers: Some(place % 7),
        features: LatestFeatures {
            allow_forking: true,
            issues: true,
            projects: !place.is_multiple_of(3),
            downloads: true,
            wiki: place.is_multiple_of(2),
            pages: place.is_multiple_of(11),
            discussions: place.is_multiple_of(13),
        },
    }
}

fn languages(place: u64) -> LatestLanguages {
    let facts = facts(place);
    let bytes = facts.language.map(|language| vec![(language, 12_345 + place)]).unwrap_or_default();
    LatestLanguages { repo: facts.id, bytes: Some(bytes) }
}
