//! Dropping a generation without stopping the writers: its tables are renamed at once, so that nobody
//! finds them any more, and emptied in small commits between other work.

use domain::Family;
use redb::{Database, Durability, ReadableDatabase, TableError, TableHandle};

use super::table::{Table, definition};

/// Begins the name of a table that is to be emptied; frozen, because a restart goes on with them.
const RETIRED_MARK: &str = "retired_";

/// Rows that one commit takes out: a few milliseconds of work, which other writes have to wait for.
const STEP_ROWS_MAX: usize = 256;

/// Renames the tables of a generation.
pub(super) fn set_aside(database: &Database, generation: u32) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::None).expect("no savepoint is ever made here");
    let taken: Vec<String> = transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
    for family in Family::ALL.into_iter().filter(|family| family.is_generational()) {
        let name = Table::of(family, generation).name();
        if taken.contains(&name) {
            // A late writer may have made a table again that was retired before and is not empty yet.
            let retired = (0..)
                .map(|number| format!("{RETIRED_MARK}{number}_{name}"))
                .find(|retired| !taken.contains(retired))
                .expect("there are more numbers than tables");
            transaction.rename_table(definition(&name), definition(&retired))?;
        }
    }
    Ok(transaction.commit()?)
}

/// The names of tables that are not empty yet.
pub(super) fn set_aside_before(database: &Database) -> Result<Vec<String>, redb::Error> {
    let reading = database.begin_read()?;
    let names = reading.list_tables()?.map(|table| table.name().to_owned());
    Ok(names.filter(|name| name.starts_with(RETIRED_MARK)).collect())
}

/// Takes some rows out of a table; true when the table is gone with its last ones.
pub(super) fn remove_some(database: &Database, name: &str) -> Result<bool, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::None).expect("no savepoint is ever made here");
    let mut removed = 0;
    {
        let mut table = match transaction.open_table(definition(name)) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(true),
            opened => opened?,
        };
        for entry in table.extract_if(|_, _| true)?.take(STEP_ROWS_MAX) {
            entry?;
            removed += 1;
        }
    }
    let is_gone = removed < STEP_ROWS_MAX;
    if is_gone {
        transaction.delete_table(definition(name))?;
    }
    transaction.commit()?;
    Ok(is_gone)
}
