//! A case for the sequential judge: what both sides answered from scrape to scrape.

use std::collections::BTreeMap;

use hotfix_core::decide::{Gate, Verification};
use hotfix_core::judge::dispersion;
use hotfix_core::model::{
    Calibration, Counts, Dispersion, JudgeSettings, LatencyBound, Missing, Pace, Profile, Reading, Ruling,
    Sample, TailBound, Threshold, Timestamp, VerificationRules,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::InputError;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    pace: Pace,
    #[serde(default)]
    thresholds: Vec<Threshold>,
    #[serde(default = "three")]
    later_steps: u32,
    phi: Option<Dispersion>,
    errors_before: Option<Vec<u64>>,
    #[serde(default)]
    tails: Vec<Tail>,
    scrapes: Vec<Scrape>,
}

const fn three() -> u32 {
    3
}

/// A bound of the latency, chosen before the rollout.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tail {
    over: LatencyBound,
    #[serde(default)]
    phi: Dispersion,
    #[serde(default)]
    usual: Counts,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scrape {
    nc: Option<u64>,
    ec: Option<u64>,
    nb: Option<u64>,
    eb: Option<u64>,
    #[serde(default)]
    first_of_step: bool,
    #[serde(default)]
    slow: BTreeMap<LatencyBound, [u64; 2]>,
    weight: Option<Gate>,
    missing: Option<String>,
    ready: Option<u16>,
}

/// What ended a step, or where it stands.
#[derive(Debug, Serialize)]
struct Step {
    first_scrape: usize,
    weight: Gate,
    decision: Value,
    decided_at: Option<usize>,
    text: String,
}

pub(crate) fn answer(case: Case) -> Result<Value, InputError> {
    let (judge, pace, thresholds) = (case.judge_settings()?, case.pace, case.thresholds.clone());
    let rules = VerificationRules { judge, pace, thresholds };
    rules.judge.check().map_err(|why| InputError::value(format!("settings.{}", why.what()), why))?;
    rules.pace.check().map_err(|why| InputError::value(format!("pace.{}", why.what()), why))?;
    let phi = case.dispersion()?;
    let calibration = Calibration { dispersion: phi, tails: case.tail_bounds() };
    let mut rollout: Option<Verification> = None;
    let mut steps: Vec<Step> = Vec::new();
    let mut scrapes = Vec::new();
    for (index, scrape) in case.scrapes.iter().enumerate() {
        let (path, sample) = (format!("scrapes[{index}]"), scrape.sample(index)?);
        let begins = scrape.first_of_step || index == 0;
        let gate = scrape.weight.unwrap_or_else(|| implied(case.scrapes[index..].iter()));
        let rollout = match &mut rollout {
            Some(rollout) => rollout,
            none => {
                let first = Verification::new(&rules, gate, case.later_steps, calibration.clone());
                none.insert(first.map_err(|why| InputError::value("settings", why))?)
            }
        };
        if begins && index > 0 {
            rollout.next_gate(gate);
        } else if !begins && scrape.weight.is_some() {
            let why = "a weight belongs to the first scrape of a step; add \"first_of_step\": true";
            return Err(InputError::at(&format!("{path}.weight"), why));
        }
        let (evidence, ruling) = rollout.observe(&sample, &[]);
        if begins {
            steps.push(Step::new(index, gate));
        }
        if let Some(step) = steps.last_mut() {
            step.follow(index, &ruling)?;
        }
        let statistics = evidence.statistics;
        scrapes.push(
            json!({ "decision": word(&ruling)?, "text": ruling.to_string(), "statistics": statistics }),
        );
    }
    let condemned = steps.iter().find(|step| step.decision == "roll_back");
    let last = condemned.or(steps.last());
    Ok(json!({
        "kind": "sequential",
        "phi": phi,
        "decision": last.map(|step| &step.decision),
        "text": last.map(|step| &step.text),
        "rollback_at": condemned.and_then(|step| step.decided_at),
        "steps": steps,
        "scrapes": scrapes,
    }))
}

impl Step {
    const fn new(first_scrape: usize, weight: Gate) -> Self {
        Self { first_scrape, weight, decision: Value::Null, decided_at: None, text: String::new() }
    }

    /// The first ruling but a hold is what a step ends with; later scrapes of it are judged and do not change that.
    fn follow(&mut self, index: usize, ruling: &Ruling) -> Result<(), InputError> {
        if self.decided_at.is_none() {
            self.decided_at = (!matches!(ruling, Ruling::Hold { .. })).then_some(index);
            self.decision = word(ruling)?;
            self.text = ruling.to_string();
        }
        Ok(())
    }
}

/// The ruling's name, as in a journal.
fn word(ruling: &Ruling) -> Result<Value, InputError> {
    Ok(serde_json::to_value(ruling)?["ruling"].take())
}

impl Case {
    /// The settings of the profile, with what the case sets instead.
    fn judge_settings(&self) -> Result<JudgeSettings, InputError> {
        let mut settings = serde_json::to_value(self.profile.settings())?;
        for (name, value) in &self.settings {
            match (&mut settings[name], value) {
                (Value::Object(parts), Value::Object(set)) => parts.extend(set.clone()),
                (setting, value) => *setting = value.clone(),
            }
        }
        serde_path_to_error::deserialize(settings).map_err(|error| {
            let path = format!("settings.{}", error.path());
            InputError::at(path.trim_end_matches("..").trim_end_matches('.'), error.into_inner())
        })
    }

    fn tail_bounds(&self) -> Vec<TailBound> {
        let bound = |tail: &Tail| TailBound { over: tail.over, dispersion: tail.phi, usual: tail.usual };
        self.tails.iter().map(bound).collect()
    }

    fn dispersion(&self) -> Result<Dispersion, InputError> {
        match (self.phi, &self.errors_before) {
            (Some(_), Some(_)) => Err(InputError::at("phi", "give either phi or errors_before")),
            (Some(phi), None) => Ok(phi),
            (None, Some(errors)) => Ok(dispersion(errors)),
            (None, None) => Ok(Dispersion::NONE),
        }
    }
}

impl Scrape {
    fn sample(&self, index: usize) -> Result<Sample, InputError> {
        let at = Timestamp::from_timestamp(15 * i64::try_from(index).unwrap_or(0), 0).unwrap_or_default();
        let path = format!("scrapes[{index}]");
        let sample = match &self.missing {
            Some(why) if [self.nc, self.ec, self.nb, self.eb] == [None; 4] => {
                Sample::missed(at, Missing::failed(why))
            }
            Some(_) => {
                let why = "a scrape that is missing has no counts";
                return Err(InputError::at(&format!("{path}.missing"), why));
            }
            None => {
                let mut sample = Sample::counted(at, Counts::NONE, Counts::NONE);
                sample.canary = side(&path, ["nc", "ec"], self.nc, self.ec)?;
                sample.baseline = side(&path, ["nb", "eb"], self.nb, self.eb)?;
                for (over, [canary, baseline]) in &self.slow {
                    let path = format!("{path}.slow.{over}");
                    let count = |requests: Option<u64>, slow| {
                        Counts::new(requests.unwrap_or(0), slow)
                            .map_err(|why| InputError::value(path.clone(), why))
                    };
                    sample = sample.with_tail(*over, count(self.nc, *canary)?, count(self.nb, *baseline)?);
                }
                sample
            }
        };
        Ok(match self.ready {
            Some(ready) => sample.with_ready(ready),
            None => sample,
        })
    }

    /// The weight that the scrape implies: the canary's share of the requests, in percent.
    fn share(&self) -> Option<Gate> {
        if self.missing.is_some() {
            return None;
        }
        let Some(baseline) = self.nb else { return Some(Gate::ALONE) };
        let (canary, baseline) = (self.nc.unwrap_or(0) as f64, baseline as f64);
        let percent = (canary / (canary + baseline) * 100.0).round();
        // Of no requests at all there is no share.
        if percent.is_nan() { None } else { Gate::at(percent.clamp(1.0, 99.0) as u8).ok() }
    }
}

/// The weight of the step that begins with these scrapes, where none is given: the share in the first of them that tells one.
fn implied<'a>(scrapes: impl Iterator<Item = &'a Scrape>) -> Gate {
    let mut step = scrapes.enumerate().take_while(|(place, scrape)| *place == 0 || !scrape.first_of_step);
    step.find_map(|(_, scrape)| scrape.share()).unwrap_or(Gate::ALONE)
}

/// What one side answered; a side of which nothing is given has no series.
fn side(
    path: &str,
    names: [&str; 2],
    requests: Option<u64>,
    errors: Option<u64>,
) -> Result<Reading, InputError> {
    match (requests, errors) {
        (Some(requests), Some(errors)) => match Counts::new(requests, errors) {
            Ok(counts) => Ok(Reading::Counts(counts)),
            Err(why) => Err(InputError::value(format!("{path}.{}", names[1]), why)),
        },
        (None, None) => Ok(Reading::Absent),
        _ => Err(InputError::at(path, format!("give both {} and {}, or neither", names[0], names[1]))),
    }
}
