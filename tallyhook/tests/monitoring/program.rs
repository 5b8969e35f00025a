//! Programs that a machine may lack.

/// Whether a program is there; without it a test is skipped, except on CI. `package`: where Debian has it.
pub(crate) fn is_there(program: &str, package: &str) -> bool {
    let asked = std::process::Command::new(program).arg("--version").output();
    if asked.is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{program} is missing (Debian: {package})");
    println!("skipped: {program} is missing (Debian: {package})");
    false
}
