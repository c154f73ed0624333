//! A few hundred rollouts of the judge's long proof, so that every run of the tests measures it roughly; and a judge
//! that is too eager, so that the proof is known to notice one.

use hotfix_core::model::{JudgeSettings, VerificationRules};
use hotfix_proofs::prove::{Check, Claim, Study};

fn failed(checks: &[Check]) -> Vec<String> {
    checks.iter().filter(|check| !check.held).map(ToString::to_string).collect()
}

fn sample(rules: VerificationRules) -> Study {
    Study { rules, runs: 300, claim: Claim::NotRefuted }
}

#[test]
fn the_judge_is_as_fast_and_as_seldom_wrong_as_it_should_be() {
    let study = sample(VerificationRules::default());
    let parts = [
        study.detection(),
        study.alone(),
        study.healthy_ladder(),
        study.wrong_proofs(),
        study.false_rollbacks(),
    ];
    let checks: Vec<Check> = parts.into_iter().flat_map(|part| part.expect("default rules")).collect();
    assert_eq!(failed(&checks), Vec::<String>::new());
    assert_eq!(checks.len(), 32);
}

#[test]
fn a_judge_that_is_too_eager_is_found_out() {
    let judge = JudgeSettings { alpha: 0.5, suspicion: 2.0, beta: 0.5, ..JudgeSettings::standard() };
    let study = sample(VerificationRules { judge, ..VerificationRules::default() });
    let rollbacks = study.false_rollbacks().expect("rules within their limits");
    let found = failed(&rollbacks).len();
    assert!(found >= 6, "{found} of {rollbacks:?}");
    let proofs = study.wrong_proofs().expect("rules within their limits");
    assert!(!proofs[0].held && !proofs[1].held, "{proofs:?}");
}
