//! Kinds of requests: each is compared with itself, so that a slot that gets other requests is not blamed for them.

use std::collections::BTreeMap;

use hotfix_core::judge::Increments;
use hotfix_core::model::{Reading, Ruling, Sample, Totals};
use hotfix_core::port::{CounterSeries, Scrape};

use super::simulated::Random;
use super::{at, counts, look, look_until_decided, rollout, scrape};

fn totals(canary: (u64, u64), baseline: (u64, u64)) -> Totals {
    Totals { canary: counts(canary.0, canary.1), baseline: counts(baseline.0, baseline.1) }
}

/// A scrape of these kinds, whose sum it also has.
fn of(kinds: &[(&str, Totals)]) -> Sample {
    let sum =
        kinds.iter().fold(Totals::default(), |sum, (_, kind)| sum.saturating_add(kind.canary, kind.baseline));
    let kinds = kinds.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    Sample { kinds, ..Sample::counted(at(0), sum.canary, sum.baseline) }
}

fn pooled(sample: &Sample) -> Sample {
    Sample { kinds: BTreeMap::new(), ..sample.clone() }
}

#[test]
fn a_canary_that_gets_more_of_what_fails_is_not_blamed_for_it() {
    // Of the payments 8 % fail on both sides, and the canary gets 40 % of them.
    let sample = of(&[("list", totals((55, 0), (645, 0))), ("pay", totals((50, 4), (75, 6)))]);
    let (looks, ruling) = look_until_decided(&mut rollout(), &pooled(&sample));
    assert!(matches!(ruling, Ruling::RollBack { .. }), "after {looks}: {ruling}");
    let mut by_kind = rollout();
    for _ in 0..100 {
        let ruling = look(&mut by_kind, &sample);
        assert!(!matches!(ruling, Ruling::RollBack { .. }), "{ruling}");
    }
    assert!(by_kind.evidence().statistics.log_errors < 0.5, "{:?}", by_kind.evidence());
}

#[test]
fn harm_that_a_better_mix_hides_is_found() {
    // The canary gets few payments, of which six times as many fail as on the other side.
    let sample = of(&[("list", totals((70, 0), (500, 0))), ("pay", totals((5, 3), (175, 17)))]);
    let found = |sample: &Sample| match look_until_decided(&mut rollout(), sample) {
        (looks, Ruling::RollBack { .. }) => Some(looks),
        _ => None,
    };
    let (by_kind, as_a_whole) = (found(&sample), found(&pooled(&sample)));
    assert!(
        by_kind.is_some_and(|looks| as_a_whole.is_none_or(|whole| looks < whole)),
        "{by_kind:?} {as_a_whole:?}"
    );
}

#[test]
fn one_kind_is_the_whole() {
    let whole = scrape((75, 3), (675, 5));
    let sample = of(&[("all", totals((75, 3), (675, 5)))]);
    let (mut one, mut other) = (rollout(), rollout());
    for _ in 0..20 {
        let left = one.observe(&whole, &[]).0.statistics;
        let right = other.observe(&sample, &[]).0.statistics;
        assert_eq!(format!("{left:?}"), format!("{right:?}"));
    }
}

#[test]
fn a_kind_of_one_side_tells_nothing() {
    let (mut rollout, sample) =
        (rollout(), of(&[("a", totals((75, 75), (0, 0))), ("b", totals((0, 0), (675, 0)))]));
    for _ in 0..5 {
        look(&mut rollout, &sample);
    }
    assert!(rollout.evidence().statistics.log_errors.abs() < 1e-12);
}

/// 50 requests a second; three kinds of which 0.1, 1 and 5 % fail, and of which the canary gets another share each.
fn mixed(random: &mut Random, worse: f64) -> Sample {
    let mut kind = |canary: u64, baseline: u64, rate: f64| {
        let failed = [random.errors(canary, rate * worse), random.errors(baseline, rate)];
        totals((canary, failed[0]), (baseline, failed[1]))
    };
    of(&[("browse", kind(30, 420, 0.001)), ("search", kind(15, 185, 0.01)), ("pay", kind(30, 70, 0.05))])
}

#[test]
fn simulated_rollouts_with_another_mix_go_on_and_harm_is_found() {
    let rolled_back = |kinds: bool, worse: f64, runs: u64| {
        let run = |seed: &u64| {
            let (mut random, mut rollout) = (Random::new(*seed), rollout());
            (0..80).any(|_| {
                let sample = mixed(&mut random, worse);
                let sample = if kinds { sample } else { pooled(&sample) };
                matches!(look(&mut rollout, &sample), Ruling::RollBack { .. })
            })
        };
        (0..runs).filter(run).count()
    };
    assert_eq!(rolled_back(false, 1.0, 100), 100, "as a whole every harmless rollout is rolled back");
    assert_eq!(rolled_back(true, 1.0, 300), 0, "by kind none is");
    assert_eq!(rolled_back(true, 4.0, 100), 100);
}

fn series(slot: &str, kind: Option<&str>, seconds: i64, requests: f64, errors: f64) -> CounterSeries {
    CounterSeries {
        slot: slot.parse().expect("a slot"),
        series: format!("{slot} {kind:?}"),
        kind: kind.map(ToOwned::to_owned),
        at: at(seconds),
        running_since: None,
        requests,
        errors: Some(errors),
        slow: BTreeMap::new(),
    }
}

fn increments() -> Increments {
    Increments::new("green".parse().expect("a slot"), Some("blue".parse().expect("a slot")), at(100))
}

#[test]
fn requests_are_summed_by_kind_and_side() {
    let mut increments = increments();
    let told = |seconds, at_blue: [f64; 2]| Scrape {
        series: vec![
            series("blue", Some("/pay"), seconds, at_blue[0], at_blue[1]),
            series("green", Some("/pay"), seconds, 4.0, 1.0),
            series("green", None, seconds, 2.0, 0.0),
        ],
        warnings: vec![],
    };
    increments.prime(&Scrape { series: told(90, [100.0, 7.0]).series[..1].to_vec(), warnings: vec![] });
    let sample = increments.take(at(115), &told(110, [130.0, 9.0]));
    assert_eq!(sample.canary, Reading::Counts(counts(6, 1)));
    let kinds = [("", totals((2, 0), (0, 0))), ("/pay", totals((4, 1), (30, 2)))];
    assert_eq!(sample.kinds, kinds.map(|(name, kind)| (name.to_owned(), kind)).into());
    let json = serde_json::to_string(&sample).expect("plain data");
    assert!(json.contains(r#""kinds":{"":{"canary":[2,0],"baseline":[0,0]},"/pay":"#), "{json}");
    assert_eq!(serde_json::from_str::<Sample>(&json).expect("what was written"), sample);
    assert!(!serde_json::to_string(&pooled(&sample)).expect("plain data").contains("kinds"));
}

#[test]
fn the_kinds_with_the_most_requests_are_told_apart_and_stay_so() {
    let mut increments = increments();
    let named = |seconds, extra: f64| -> Scrape {
        let kind = |number: u32| {
            let name = format!("/{number}");
            let requests = 100.0 + f64::from(number) + if number == 0 { extra } else { 0.0 };
            series("green", Some(&name), seconds, requests, 0.0)
        };
        Scrape { series: (0..40).map(kind).collect(), warnings: vec![] }
    };
    let kinds = |sample: &Sample| -> Vec<String> { sample.kinds.keys().cloned().collect() };
    let first = increments.take(at(115), &named(110, 0.0));
    let wanted: Vec<String> =
        [String::new()].into_iter().chain((25..40).map(|number| format!("/{number}"))).collect();
    assert_eq!(kinds(&first), wanted);
    assert_eq!(first.kinds[""].canary, counts((100..125).sum(), 0));
    let second = increments.take(at(130), &named(125, 1e6));
    assert_eq!(kinds(&second), wanted, "what grows later is not told apart later");
}
