//! The small proof of the engine's protocol, in every run of the tests: one exhaustive world, every seeded fault, and
//! some hundred random walks.

use hotfix_testkit::explore::{Options, Worlds, prove};

#[test]
fn the_protocol_holds_and_every_seeded_fault_is_found() {
    let reports = prove(&Options { worlds: Worlds::Small, walks: 200, first_seed: 0 });
    let failures: Vec<&String> = reports.iter().flat_map(|report| &report.failures).collect();
    assert_eq!(failures, Vec::<&String>::new());
    let areas: Vec<&str> = reports.iter().map(|report| report.area).collect();
    assert_eq!(areas, ["exploration", "seeded faults", "random walks"]);
    assert!(reports.iter().all(|report| report.checks > 0), "{reports:?}");
}
