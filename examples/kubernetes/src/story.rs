//! A run as its operator reads it: phase by phase, and looks at the metrics that say the same only once.

use std::fmt::Display;

use hotfix::communicate::{Progress, ProgressKind};
use hotfix::model::{Phase, Reading, Sample};

use crate::show::say;

/// What was told of a run so far.
#[derive(Debug, Default)]
pub(crate) struct Story {
    phase: Option<Phase>,
    /// What the last look was like, and how many more were like it.
    looks: Option<(Look, u32)>,
}

/// What a look at the metrics amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    NothingYet,
    Clean,
    Errors,
}

impl Look {
    fn of(sample: &Sample) -> Self {
        match &sample.canary {
            Reading::Counts(counts) if counts.errors() > 0 => Self::Errors,
            Reading::Counts(counts) if counts.requests() > 0 => Self::Clean,
            _ => Self::NothingYet,
        }
    }
}

impl Story {
    /// Tells what happened.
    pub(crate) fn tell(&mut self, progress: &Progress) {
        if let ProgressKind::Looked { sample, .. } = &progress.kind {
            let look = Look::of(sample);
            match &mut self.looks {
                Some((last, more)) if *last == look => *more += 1,
                _ => {
                    self.end_of_looks();
                    self.looks = Some((look, 0));
                    line(progress, &progress.kind);
                }
            }
            return;
        }
        self.end_of_looks();
        match &progress.kind {
            ProgressKind::StepStarted { phase, .. } => {
                if self.phase != Some(*phase) {
                    self.phase = Some(*phase);
                    say(format_args!("  -- {}", name(*phase)));
                }
                line(progress, &progress.kind);
            }
            // What it did is what it said it would.
            ProgressKind::StepDone { step, .. } => line(progress, &format_args!("step {step}: done")),
            ProgressKind::InstanceReady { instance, of, .. } => {
                line(progress, &format_args!("pod {instance}/{of} healthy"));
            }
            ProgressKind::Ended(outcome) => line(progress, outcome),
            kind => line(progress, kind),
        }
    }

    fn end_of_looks(&mut self) {
        if let Some((_, more @ 1..)) = self.looks.take() {
            say(format_args!("           ({more} more like that)"));
        }
    }
}

fn line(progress: &Progress, what: &dyn Display) {
    say(format_args!("  {} {what}", progress.at.format("%H:%M:%S")));
}

const fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Started | Phase::Preparing => "prepare the branch and the release candidate",
        Phase::Staging => "staging",
        Phase::Production => "production",
        Phase::RollingBack => "ROLLING BACK",
        Phase::Publishing => "live and proven: merge back, tag, come home",
        _ => "the end",
    }
}
