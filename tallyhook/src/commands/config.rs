//! `tallyhook config`: the merged settings and where each came from.

use crate::{
    failure::Failure,
    settings::{Raw, Settings},
    table,
};

pub(crate) fn run(raw: &Raw) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = Settings::shown(raw)
        .into_iter()
        .map(|(name, (value, origin))| {
            let value = if value.is_empty() { "-".to_owned() } else { value };
            vec![name.to_owned(), value, origin.to_string()]
        })
        .collect();
    print!("{}", table::lines(&["SETTING", "VALUE", "FROM"], &rows));
    for secret in &raw.named_secrets {
        println!("[[webhook_secret]] {} (hidden)", secret.name);
    }
    for variable in &raw.unknown_variables {
        eprintln!("{variable} is no setting of this version");
    }
    Ok(())
}
