//! `tallyhook doctor`: what is wrong, and what to do about it.

use super::owner_of;
use crate::{cli::DoctorFormat, doctor, failure::Failure, settings::Settings};

pub(crate) async fn run(
    settings: &Settings,
    targets: &[String],
    format: DoctorFormat,
) -> Result<(), Failure> {
    for target in targets {
        owner_of(target)?;
    }
    let report = doctor::examine(settings, targets).await?;
    match format {
        DoctorFormat::Text => print!("{}", report.text()),
        DoctorFormat::Json => println!("{}", report.json()),
    }
    if report.is_healthy() { Ok(()) } else { Err(Failure::Failed("something is broken".to_owned())) }
}
