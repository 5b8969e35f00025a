//! The binary as users run it: a child process with settings, against a fake GitHub that signs and sends real
//! deliveries and answers REST. What it shows is compared with what is true there.
#![expect(clippy::unwrap_used, reason = "tests")]

mod app;
mod app_setup;
mod backup;
mod bitbucket_hooks;
mod budget;
mod chaos;
mod commands;
mod deliveries;
mod demo;
mod disks;
mod doctor;
mod explain;
mod faults;
mod first_contact;
mod forget;
mod generations;
mod gists;
mod graphql;
mod ground;
mod hostile;
mod kill;
mod latest;
mod latest_faults;
mod latest_filters;
mod live;
mod moves;
mod privacy;
mod profiles;
mod refused;
mod restart;
mod retention;
mod rings;
mod settings;
mod shares;
mod signals;
mod starneighbours;
mod support;
mod visits;
