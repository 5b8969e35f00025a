//! S4 from memory: the newest hundred public repositories, whole and filtered.

use std::fmt::Write as _;

use super::read::{self, Table};
use crate::{
    contest::{self, Contender},
    fill_latest::{LANGUAGES, WORDS},
    load::{Pace, Work},
    run::Bench,
};

/// So many filters are asked for in turn.
const FILTERS: usize = 200;
/// What its predecessor was built for.
const WANTED_PER_SECOND: f64 = 17_000.0;

pub(super) fn whole(bench: &Bench) -> anyhow::Result<String> {
    let folder = bench.filled_latest()?;
    let program = bench.program_following(folder.path())?;
    let table = Table::lay(bench, folder, program, "/repos".to_owned())?;
    read::compare(bench, &table)
}

pub(super) fn filters(bench: &Bench) -> anyhow::Result<String> {
    let folder = bench.filled_latest()?;
    let program = bench.program_following(folder.path())?;
    let (_, body) = read::complete(program.api, "/repos")?;
    let paths = paths();
    let spec = |work| {
        let spec = read::get(bench, program.api, "/repos", Vec::new(), 200, Pace::Closed);
        crate::load::Spec { work, ..spec }
    };
    let one = |path: &str| Work::Get { path: path.to_owned(), headers: Vec::new(), status: 200 };
    let contenders = [
        Contender {
            name: "200 filters in turn",
            id: program.id(),
            spec: Box::new(|| spec(Work::GetEach { paths: paths.clone(), status: 200 })),
        },
        Contender { name: "no filter", id: program.id(), spec: Box::new(|| spec(one("/repos"))) },
        Contender { name: "/stats, no filter", id: program.id(), spec: Box::new(|| spec(one("/stats"))) },
    ];
    let outcomes = contest::contest(bench, bench.pick(2, 5), &contenders)?;
    let mut figures = format!("{}\n", contest::capacity("200, as it is, closed loop", &outcomes));
    let per_core =
        outcomes.iter().find(|outcome| outcome.name == "no filter").map(|outcome| 1e6 / outcome.cpu_us);
    if let Some(per_core) = per_core {
        writeln!(
            figures,
            "- unfiltered: {} bytes; by its processor time a core serves {per_core:.0} a second, two cores {:.0}, \
             which is {:.1} times the {WANTED_PER_SECOND:.0} that S4 was built for",
            body.len(),
            2.0 * per_core,
            2.0 * per_core / WANTED_PER_SECOND
        )?;
    }
    Ok(figures)
}

/// Names, languages, licences and flags, alone and together, no two the same.
fn paths() -> Vec<String> {
    let flags = ["has_wiki=true", "has_wiki=false", "has_pages=0", "has_projects=1", "has_open_issues=1"];
    let texts = WORDS.iter().map(|word| format!("name={word}"));
    let texts = texts.chain(
        LANGUAGES
            .iter()
            .map(|name| format!("language={}", name.replace('+', "%2B").replace(' ', "+").to_lowercase())),
    );
    let texts: Vec<String> = texts.chain(["license=mit", "license=gnu"].map(str::to_owned)).collect();
    let alone = texts.iter().cloned();
    let with_flag = texts.iter().flat_map(|text| flags.iter().map(move |flag| format!("{text}&{flag}")));
    let with_two = texts
        .iter()
        .flat_map(|text| flags.iter().skip(2).map(move |flag| format!("{text}&{flag}&has_wiki=1")));
    let with_license = texts.iter().map(|text| format!("{text}&license=license"));
    let all = alone.chain(with_flag).chain(with_two).chain(with_license);
    all.take(FILTERS).map(|query| format!("/repos?{query}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_two_hundred_filters() {
        let paths = paths();
        assert_eq!((paths.len(), paths.iter().collect::<BTreeSet<_>>().len()), (FILTERS, FILTERS));
    }
}
