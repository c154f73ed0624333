use hotfix_testkit::explore::{Configuration, Ending, Options, SeededFault, Worlds, explore, prove, walk};

#[test]
fn the_machine_keeps_every_invariant_in_a_small_world() {
    let exploration = explore(&Configuration::small());
    let traces: Vec<_> = exploration.breaches.iter().map(|breach| breach.trace.as_str()).collect();
    assert!(exploration.holds(), "{exploration}\n{}", traces.concat());
    for ending in [Ending::Succeeded, Ending::RolledBack, Ending::Cancelled, Ending::Escalated] {
        assert!(exploration.ended(ending) > 0, "no run ended {ending:?}: {exploration}");
    }
}

#[test]
fn a_run_that_is_hastened_keeps_every_invariant() {
    let exploration = explore(&Configuration::hastened());
    let traces: Vec<_> = exploration.breaches.iter().map(|breach| breach.trace.as_str()).collect();
    assert!(exploration.holds(), "{exploration}\n{}", traces.concat());
    for ending in [Ending::Succeeded, Ending::RolledBack] {
        assert!(exploration.ended(ending) > 0, "no run ended {ending:?}: {exploration}");
    }
}

#[test]
fn what_stopped_half_way_is_taken_back() {
    let exploration = explore(&Configuration::half_way());
    let traces: Vec<_> = exploration.breaches.iter().map(|breach| breach.trace.as_str()).collect();
    assert!(exploration.holds(), "{exploration}\n{}", traces.concat());
    for ending in [Ending::Succeeded, Ending::RolledBack, Ending::Cancelled, Ending::Escalated] {
        assert!(exploration.ended(ending) > 0, "no run ended {ending:?}: {exploration}");
    }
}

#[test]
fn each_seeded_fault_breaks_the_invariant_that_guards_against_it() {
    for fault in SeededFault::ALL {
        let hunt = fault.hunt();
        let found: Vec<_> = hunt.breaches.iter().map(|breach| breach.invariant).collect();
        assert!(found.contains(&fault.breaks()), "{fault}: {hunt}");
    }
}

#[test]
fn a_breach_comes_with_the_way_to_it() {
    let hunt = SeededFault::NoIntent.hunt();
    let [breach] = &hunt.breaches[..] else { panic!("{hunt}") };
    let first_lines = |number: &str| breach.trace.lines().find(|line| line.trim_start().starts_with(number));
    assert_eq!(first_lines("1."), Some("  1. Open { run: 0 }"));
    let last = first_lines("2.").unwrap();
    assert!(last.ends_with("** broken: write-ahead **"), "{last}");
    assert_eq!(first_lines("3."), None);
}

#[test]
fn walks_through_large_worlds_keep_every_invariant() {
    for seed in 0..300 {
        walk(seed).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn the_same_seed_takes_the_same_way() {
    let twice = [walk(7).unwrap(), walk(7).unwrap()].map(|walk| (walk.actions, walk.entries, walk.endings));
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn a_report_counts_what_was_checked() {
    let options = Options { worlds: Worlds::Small, walks: 3, first_seed: 40 };
    let reports = prove(&options);
    let counts: Vec<_> =
        reports.iter().map(|report| (report.area, report.checks, report.failures.len())).collect();
    assert_eq!(counts, [("exploration", 6, 0), ("seeded faults", 13, 0), ("random walks", 3, 0)]);
    let line = reports[2].to_string();
    assert!(line.starts_with("prove engine (random walks): checks=3 failed=0 states="), "{line}");
}
