//! The Kayenta-compatible judge: its Mann-Whitney test beside scipy's on the same samples, and what a whole metric costs.

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use hotfix_benches::Failure;
use hotfix_benches::program::program;
use hotfix_core::judge::kayenta::{
    CanaryConfig, MetricConfig, MetricSetPair, PairedValues, RankTest, ScoreThresholds, judge, mann_whitney,
};
use serde_json::{Value, json};

use super::case::{Better, Case, Figure, Goal};
use super::clock::{median, micros_each, timed};

/// Pairs of samples: as many as the metrics of some hundred services.
const PAIRS: usize = 1000;
/// Values of a sample: an hour of minutes.
const VALUES: usize = 60;
const ROUNDS: usize = 9;
/// What the classification of one metric may cost.
const METRIC_GOAL_MICROS: f64 = 200.0;

pub(super) fn measure(print: impl Fn(Case)) -> Result<(), Failure> {
    let pairs = samples();
    let mut scipy = Scipy::start(&pairs)?;
    scipy.agrees_with(&pairs)?;
    let name = format!("mann-whitney-{VALUES}+{VALUES}");
    print(turns(&mut scipy, &pairs, &format!("{name} one by one"), "one", 10.0)?);
    print(turns(&mut scipy, &pairs, &format!("{name} {PAIRS} at once"), "all", 1.0)?);
    print(Case::alone(format!("kayenta metric {VALUES}+{VALUES}"), metric(&pairs[0])?, METRIC_GOAL_MICROS));
    Ok(())
}

/// The same pairs every time: an eighth of the values are ties, and half of the pairs differ by a tenth.
fn samples() -> Vec<PairedValues> {
    let mut state: u64 = 2026;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let mut sample = |middle: f64| -> Vec<f64> {
        let bell = |_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        (0..VALUES).map(bell).map(|value| ((middle + value) * 100.0).round() / 100.0).collect()
    };
    let pair = |index: usize| PairedValues {
        control: sample(10.0),
        experiment: sample(if index.is_multiple_of(2) { 10.0 } else { 11.0 }),
    };
    (0..PAIRS).map(pair).collect()
}

fn test(pair: &PairedValues) -> Result<RankTest, Failure> {
    mann_whitney(&pair.experiment, &pair.control).map_err(|why| Failure::new(why.to_string()))
}

/// Ours is the same in both cases: it has no other way to test many pairs than one by one.
fn turns(
    scipy: &mut Scipy,
    pairs: &[PairedValues],
    name: &str,
    work: &str,
    goal: f64,
) -> Result<Case, Failure> {
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (took, done) =
            timed(|| pairs.iter().try_for_each(|pair| black_box(test(black_box(pair))).map(drop)));
        done?;
        ours.push(took.as_secs_f64() * 1e6 / PAIRS as f64);
        peer.push(scipy.round(work)?);
    }
    let micros = |values| Figure { value: median(values), unit: "us" };
    Ok(Case {
        name: format!("{name} (scipy {})", scipy.version),
        ours: micros(ours),
        peer: Some(micros(peer)),
        better: Better::Less,
        goal: Goal::Ratio(goal),
    })
}

/// A whole judgement of one metric: cleaning, three roots, effect, score.
fn metric(pair: &PairedValues) -> Result<Figure, Failure> {
    let metric =
        MetricConfig { name: "it".to_owned(), groups: vec!["all".to_owned()], ..MetricConfig::default() };
    let config = CanaryConfig { metrics: vec![metric], ..CanaryConfig::default() };
    let thresholds = ScoreThresholds { pass: 75.0, marginal: 50.0 };
    let pairs = [MetricSetPair { name: "it".to_owned(), values: pair.clone(), ..MetricSetPair::default() }];
    judge(&config, thresholds, &pairs).map_err(|why| Failure::new(why.to_string()))?;
    Ok(micros_each(|| drop(black_box(judge(&config, thresholds, black_box(&pairs))))))
}

/// scipy in a process of its own; killed when dropped.
struct Scipy {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    version: String,
    first: Value,
}

impl Scipy {
    fn start(pairs: &[PairedValues]) -> Result<Self, Failure> {
        #[expect(clippy::disallowed_methods, reason = "the help text names this variable")]
        let python = std::env::var("HOTFIX_SCIPY_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut command = program(&python);
        command.args(["-c", include_str!("kayenta.py")]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child =
            command.spawn().map_err(|why| Failure::new(format!("{python} cannot be started: {why}")))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (questions, answers) = pipes.ok_or_else(|| Failure::new("scipy has no pipes"))?;
        let (answers, version, first) = (BufReader::new(answers), String::new(), Value::Null);
        let mut scipy = Self { child, questions, answers, version, first };
        let side = |side: fn(&PairedValues) -> &Vec<f64>| pairs.iter().map(side).collect::<Vec<_>>();
        let samples = json!({ "x": side(|pair| &pair.experiment), "y": side(|pair| &pair.control) });
        let first = scipy.ask(&samples.to_string());
        let mend = "run it by `cargo xtask compare judge`, which sets scipy up, or name a Python that has it";
        scipy.first = first.map_err(|why| Failure::new(format!("{why}; {mend} in HOTFIX_SCIPY_PYTHON")))?;
        scipy.version = scipy.first["version"].as_str().unwrap_or("?").to_owned();
        Ok(scipy)
    }

    /// The statistic is a count of halves and must be the same; p goes through different roundings.
    fn agrees_with(&self, pairs: &[PairedValues]) -> Result<(), Failure> {
        for (index, pair) in pairs.iter().enumerate() {
            let ours = test(pair)?;
            let theirs = ["u", "p"].map(|name| self.first[name][index].as_f64().unwrap_or(f64::NAN));
            let same = (ours.u - theirs[0]).abs() < 1e-9 && (ours.p - theirs[1]).abs() < 1e-12;
            if !same {
                let why = format!("pair {index}: U and p are {} and {}, scipy's {theirs:?}", ours.u, ours.p);
                return Err(Failure::new(why));
            }
        }
        Ok(())
    }

    fn round(&mut self, work: &str) -> Result<f64, Failure> {
        let answer = self.ask(work)?;
        answer.as_f64().ok_or_else(|| Failure::new(format!("scipy answered {answer} instead of a time")))
    }

    fn ask(&mut self, question: &str) -> Result<Value, Failure> {
        let mut answer = String::new();
        let asked = writeln!(self.questions, "{question}").and_then(|()| self.questions.flush());
        asked
            .and_then(|()| self.answers.read_line(&mut answer))
            .map_err(|why| Failure::new(format!("scipy: {why}")))?;
        serde_json::from_str(&answer).map_err(|_| Failure::new(format!("scipy answered {answer:?}")))
    }
}

impl Drop for Scipy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
