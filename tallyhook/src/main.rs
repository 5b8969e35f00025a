//! The binary: settings, the wiring of roles, subcommands. Logic lives in the rooms.

mod admin;
mod app_file;
mod backup;
mod cli;
mod commands;
#[cfg(any(feature = "cluster", test))]
mod copy;
mod demo;
mod doctor;
mod failure;
mod forget;
mod openapi;
mod places;
mod ports;
mod ready;
mod reference;
mod roles;
mod serve;
mod settings;
mod setup;
mod table;
mod webhook_secret;

use std::process::ExitCode;

use cli::Call;
use failure::Failure;
use settings::{Raw, Settings};

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tallyhook: {failure}");
            failure.exit_code()
        }
    }
}

fn run(matches: &clap::ArgMatches) -> Result<(), Failure> {
    let call = Call::read(matches)?;
    if let Call::Reference { page } = call {
        return reference::print(page);
    }
    let raw = Raw::collect(matches, std::env::vars())?;
    let settings = Settings::read(&raw)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("the runtime cannot start: {error}")))?;
    let ended = runtime.block_on(commands::run(call, settings, raw));
    // Nothing that still runs may hold up the end: what was acknowledged is on disk.
    runtime.shutdown_background();
    ended
}
