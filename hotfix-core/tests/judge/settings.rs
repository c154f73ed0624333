//! Settings: defaults, what is refused, and how they are written.

use hotfix_core::decide::Gate;
use hotfix_core::judge::Judge;
use hotfix_core::model::{
    Counts, Dispersion, InvalidValue, JudgeSettings, OnBlind, Pace, Profile, StatisticWeights,
    VerificationRules,
};
use hotfix_core::policy::{Policy, Settings};

use super::{gate, rules};

#[test]
fn the_profiles_differ_only_in_what_is_good_enough() {
    let (standard, fast) = (JudgeSettings::standard(), JudgeSettings::fast());
    assert_eq!(standard, JudgeSettings::default());
    assert_eq!((standard.bad_ratio, standard.acceptable_rate), (2.0, 0.005));
    assert_eq!((fast.bad_ratio, fast.acceptable_rate), (3.0, 0.01));
    assert!((standard.cap() - 3.453_877_639_491_069).abs() < 1e-12);
    let alike =
        JudgeSettings { bad_ratio: standard.bad_ratio, acceptable_rate: standard.acceptable_rate, ..fast };
    assert_eq!(standard, alike);
    assert_eq!((standard.check(), alike.check()), (Ok(()), Ok(())));
}

#[test]
fn what_would_break_the_guarantee_is_refused_by_name() {
    type Change = fn(&mut JudgeSettings);
    let cases: [(&str, Change); 31] = [
        ("alpha", |s| s.alpha = 0.0),
        ("alpha", |s| s.alpha = 1.0),
        ("alpha", |s| s.alpha = f64::NAN),
        ("beta", |s| s.beta = -0.05),
        ("tolerated_ratio", |s| s.tolerated_ratio = 0.9),
        ("latency_ratio", |s| s.latency_ratio = 0.5),
        ("harm_ratios", |s| s.harm_ratios = vec![]),
        ("harm_ratios", |s| s.harm_ratios = vec![2.0, 1.0]),
        ("harm_ratios", |s| s.harm_ratios = vec![2.0; 17]),
        ("stakes", |s| s.stakes = vec![]),
        ("stakes", |s| s.stakes = vec![0.5, 1.5]),
        ("health_ratios", |s| s.health_ratios = vec![]),
        ("health_ratios", |s| s.health_ratios = vec![1.0]),
        ("log_cap", |s| s.log_cap = Some(f64::INFINITY)),
        ("log_cap", |s| s.log_cap = Some(4.7)),
        ("log_cap", |s| s.log_cap = Some(0.0)),
        ("weights", |s| s.weights.errors = 0.8),
        ("weights", |s| s.weights.latency = 0.3),
        ("weights.latency", |s| s.weights.latency = f64::NAN),
        ("floor", |s| s.floor = Some(0.0)),
        ("floor", |s| s.floor = Some(0.06)),
        ("weights.errors", |s| s.weights.errors = -0.1),
        ("weights.ceiling", |s| s.weights.ceiling = 1.3),
        ("ceiling", |s| s.ceiling = 0.0),
        ("ceiling", |s| s.ceiling = 1.0),
        ("bad_ratio", |s| s.bad_ratio = 0.5),
        ("acceptable_rate", |s| s.acceptable_rate = 0.0),
        ("suspicion", |s| s.suspicion = 1000.0),
        ("efficacy", |s| s.efficacy = 1.0),
        ("planned_scrapes", |s| s.planned_scrapes = 0),
        ("planned_scrapes", |s| s.planned_scrapes = u32::MAX),
    ];
    for (name, change) in cases {
        let mut settings = JudgeSettings::default();
        change(&mut settings);
        let error = settings.check().unwrap_err();
        assert_eq!(error.what(), name, "{error}");
        assert_eq!(Judge::new(&settings, 3, Dispersion::NONE).unwrap_err(), error);
    }
    let certain = JudgeSettings { alpha: 1.0, ..JudgeSettings::default() };
    assert_eq!(
        certain.check().unwrap_err().to_string(),
        r#"invalid alpha "1": allowed are numbers from 0.000000001 to 0.5"#
    );
}

#[test]
fn paces_without_an_end_are_refused_by_name() {
    type Change = fn(&mut Pace);
    let cases: [(&str, Change); 9] = [
        ("quick_dwell", |p| p.quick_dwell = 0),
        ("min_dwell", |p| p.min_dwell = 1),
        ("max_dwell", |p| p.max_dwell = 3),
        ("alone_dwell", |p| p.alone_dwell = 0),
        ("blind_limit", |p| p.blind_limit = 0),
        ("quiet_limit", |p| p.quiet_limit = 0),
        ("starved_limit", |p| p.starved_limit = 0),
        ("starved_expects", |p| p.starved_expects = 0),
        ("hold_limit", |p| p.hold_limit = 0),
    ];
    for (name, change) in cases {
        let mut rules = VerificationRules::default();
        change(&mut rules.pace);
        assert_eq!(rules.check().unwrap_err().what(), name);
    }
    assert_eq!(VerificationRules::default().check(), Ok(()));
}

#[test]
fn rules_are_written_by_name_and_misspelt_names_are_refused() {
    let text =
        r#"{"judge":{"ceiling":0.02,"weights":{"errors":1,"ceiling":0}},"pace":{"on_blind":"roll_back"}}"#;
    let read: VerificationRules = serde_json::from_str(text).unwrap();
    let judge = JudgeSettings {
        ceiling: 0.02,
        weights: StatisticWeights { errors: 1.0, latency: 0.0, ceiling: 0.0 },
        ..JudgeSettings::default()
    };
    let pace = Pace { on_blind: OnBlind::RollBack, ..Pace::default() };
    assert_eq!(read, rules(judge, pace));
    let again: VerificationRules = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
    assert_eq!(again, read);
    let error = serde_json::from_str::<VerificationRules>(r#"{"judge":{"alhpa":0.1}}"#).unwrap_err();
    assert!(error.to_string().contains("unknown field `alhpa`"), "{error}");
}

#[test]
fn what_journals_leave_out_keeps_its_meaning() {
    let settings: JudgeSettings =
        serde_json::from_str(r#"{"weights":{"errors":0.75,"ceiling":0.25}}"#).unwrap();
    let weights = StatisticWeights { errors: 0.75, latency: 0.0, ceiling: 0.25 };
    assert_eq!(
        settings,
        JudgeSettings { weights, latency_ratio: 1.5, floor: None, ..JudgeSettings::standard() }
    );
    let written = serde_json::to_string(&settings).unwrap();
    assert!(!written.contains("latency") && !written.contains("floor"), "{written}");
    let written = serde_json::to_string(&JudgeSettings::standard()).unwrap();
    assert!(written.contains(r#""weights":{"errors":0.5,"latency":0.25,"ceiling":0.25}"#), "{written}");
}

#[test]
fn a_profile_is_one_word_and_its_fields_can_be_overridden() {
    let read = |text: &str| serde_json::from_str::<VerificationRules>(text).unwrap();
    assert_eq!(read(r#""fast""#), VerificationRules::from(Profile::Fast));
    assert_eq!(read(r#""standard""#), VerificationRules::default());
    assert_eq!(read("{}"), VerificationRules::default());
    assert_eq!(read(r#"{"profile":"fast"}"#), rules(JudgeSettings::fast(), Pace::default()));
    let judge = JudgeSettings { alpha: 0.005, bad_ratio: 4.0, ..JudgeSettings::fast() };
    // The order does not matter.
    let read = read(r#"{"judge":{"alpha":0.005,"bad_ratio":4.0},"profile":"fast"}"#);
    assert_eq!(read, rules(judge, Pace::default()));
    let written = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<VerificationRules>(&written).unwrap(), read, "frozen in full");
    for profile in Profile::ALL {
        assert_eq!((profile.to_string().parse(), profile.settings().check()), (Ok(profile), Ok(())));
    }
}

#[test]
fn a_profile_that_does_not_exist_or_breaks_the_guarantee_is_refused() {
    for text in [r#""slow""#, r#"{"profile":"slow"}"#] {
        let error = serde_json::from_str::<VerificationRules>(text).unwrap_err();
        let expected = r#"invalid profile "slow": allowed are standard and fast"#;
        assert!(error.to_string().contains(expected), "{error}");
    }
    let settings = |text: &str| serde_json::from_str::<Settings>(text).unwrap();
    for (text, fault) in [
        (
            r#"{"judging":{"profile":"fast","judge":{"weights":{"errors":0.8,"latency":0.3,"ceiling":0.2}}}}"#,
            "judging.weights is 1.3; allowed are numbers from 0.001 to 1",
        ),
        (
            r#"{"judging":{"profile":"fast","judge":{"log_cap":1000}}}"#,
            "judging.log_cap is 1000; allowed are numbers from 0.001 to 4.605170185988092",
        ),
    ] {
        let error = Policy::new(settings(text)).unwrap_err();
        assert_eq!(error.to_string(), format!("invalid policy: {fault}"));
    }
    let policy = Policy::new(settings(r#"{"judging":"fast"}"#)).unwrap();
    assert_eq!(policy.judging.judge, JudgeSettings::fast());
    let wrong = serde_json::from_str::<Settings>(r#"{"judging":{"thresholds":["error rate over 5"]}}"#);
    assert!(wrong.unwrap_err().to_string().contains("invalid threshold"), "named with what is allowed");
}

#[test]
fn impossible_values_cannot_be_made() {
    assert_eq!(
        Counts::new(3, 4).unwrap_err(),
        InvalidValue::new("error count", "4", "0 to 3, the number of requests")
    );
    assert!(serde_json::from_str::<Counts>("[3,4]").is_err());
    for phi in [0.99, f64::NAN, f64::INFINITY] {
        assert_eq!(Dispersion::new(phi).unwrap_err().what(), "dispersion");
    }
    assert_eq!((Gate::at(0).unwrap_err().what(), gate(100)), ("canary weight", Gate::ALONE));
    assert!(Gate::at(101).is_err());
}
