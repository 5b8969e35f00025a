//! Memory and start-up: an empty folder, then folders of more and more repositories.

use std::{fmt::Write as _, fs};

use crate::{
    process,
    program::get,
    run::Bench,
    shape::{Shape, login},
    table::{self, Table},
};

pub(super) fn measure(bench: &Bench) -> anyhow::Result<String> {
    let mut table = Table::new(&[
        "accounts × repositories",
        "first start: ready after",
        "most memory",
        "second start: listening after",
        "ready after",
        "memory then",
        "each account read once",
        "log on disk",
        "store on disk",
    ]);
    let mut shapes = vec![None, Some(Shape::new(1, 100, 10, 10))];
    if bench.mode != crate::run::Mode::Short {
        shapes.push(Some(Shape::new(1, 10_000, 10, 10)));
    } else {
        shapes.push(Some(Shape::new(1, 1_000, 10, 10)));
    }
    for shape in shapes {
        let folder = match shape {
            Some(shape) => bench.filled(&[shape])?.0,
            None => bench.folder()?,
        };
        let first = bench.program(folder.path())?;
        let first_ready = first.ready_after;
        let (_, most) = process::memory(first.id())?;
        first.end()?;
        let second = bench.program(folder.path())?;
        let (now, _) = process::memory(second.id())?;
        for account in shape.iter().flat_map(|shape| shape.first..shape.first + shape.accounts) {
            get(second.api, &format!("/githubPayload?user={}", login(account)))?;
        }
        let (read, _) = process::memory(second.id())?;
        let (listening, ready) = (second.listening_after, second.ready_after);
        second.end()?;
        let size = |name: &str| fs::metadata(folder.path().join(name)).map(|file| table::bytes(file.len()));
        table.row(vec![
            shape.map_or_else(
                || "none".to_owned(),
                |shape| format!("{} × {}", shape.accounts, shape.repositories),
            ),
            table::seconds(first_ready.as_secs_f64()),
            table::bytes(most),
            table::seconds(listening.as_secs_f64()),
            table::seconds(ready.as_secs_f64()),
            table::bytes(now),
            table::bytes(read),
            size("log.redb")?,
            size("state.redb")?,
        ]);
        eprintln!("   {shape:?}: {} then {}", table::bytes(now), table::bytes(read));
    }
    let mut figures = String::new();
    writeln!(figures, "{table}")?;
    Ok(figures)
}
