//! The rules by themselves: what each alert tells of made-up series.

use std::{fs, process::Command};

use super::{program::is_there, prometheus::deploy};

#[test]
fn the_rules_tell_what_their_tests_say() {
    if !is_there("promtool", "prometheus") {
        return;
    }
    for words in [
        &["check", "config", "prometheus.yml"][..],
        &["check", "rules", "rules/tallyhook.yml"],
        &["test", "rules", "tests/tallyhook.yml"],
    ] {
        let output =
            Command::new("promtool").args(words).current_dir(deploy().join("prometheus")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "promtool {words:?}: {said}");
    }
}

#[test]
fn every_alert_has_a_test_and_a_runbook_entry() {
    let read = |path: &str| fs::read_to_string(deploy().join(path)).unwrap();
    let rules = read("prometheus/rules/tallyhook.yml");
    let (tests, runbook) = (read("prometheus/tests/tallyhook.yml"), read("../docs/RUNBOOK.md"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        let fires = tests
            .split("- eval_time")
            .any(|case| case.contains(&format!("alertname: {alert}\n")) && case.contains("exp_labels"));
        assert!(fires, "no test in which {alert} fires");
        assert!(runbook.contains(&format!("\n## {alert}\n")), "docs/RUNBOOK.md says nothing of {alert}");
        let anchor = format!("runbook: docs/RUNBOOK.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&anchor), "{alert} does not point to its entry");
    }
}
