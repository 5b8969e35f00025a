//! Pages that are generated from the code.

use crate::{
    cli::Page,
    failure::{Failure, failed},
    settings::table,
};

/// Prints a page.
pub(crate) fn print(page: Page) -> Result<(), Failure> {
    let text = match page {
        Page::Settings => table::page(),
        Page::Metrics => metrics()?,
    };
    print!("{text}");
    Ok(())
}

fn metrics() -> Result<String, Failure> {
    Err(failed("in preparation"))
}
