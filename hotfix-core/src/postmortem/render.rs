//! The short postmortem of a run, in Markdown.

use std::fmt::Write as _;

use super::escape::markdown;
use crate::communicate::{Progress, ProgressKind};
use crate::execute::{Course, JournalError, Outcome, Record, Run};
use crate::model::{Incident, Timestamp, Verdict};
use crate::plan::{Level, Plan};

/// One committed journal entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The epoch of the owner that wrote it.
    pub epoch: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// The record.
    pub record: Record,
}

/// Renders the postmortem of a run from its incident and its whole journal. The same journal gives the same bytes.
///
/// # Errors
/// [`JournalError`] when the journal cannot be what a run wrote.
pub fn postmortem(incident: &Incident, journal: &[Entry]) -> Result<String, JournalError> {
    let (first, rest) = journal.split_first().ok_or(JournalError::NoPlan)?;
    let Record::Planned(planned) = &first.record else {
        return Err(JournalError::NoPlan);
    };
    let mut run = Run::begin(planned, first.epoch);
    let mut timeline = vec![Progress::of(0, first.at, &first.record, &run)];
    for (seq, entry) in (1..).zip(rest) {
        run.apply(&entry.record)?;
        timeline.push(Progress::of(seq, entry.at, &entry.record, &run));
    }
    Ok(Document { incident, plan: &planned.plan, run: &run, timeline: &timeline }.render())
}

struct Document<'a> {
    incident: &'a Incident,
    plan: &'a Plan,
    run: &'a Run,
    timeline: &'a [Progress],
}

impl Document<'_> {
    fn render(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self
            .head(&mut out)
            .and_then(|()| self.what_happened(&mut out))
            .and_then(|()| self.evidence(&mut out));
        let _ = self.chronology(&mut out).and_then(|()| self.left_to_do(&mut out));
        out
    }

    fn head(&self, out: &mut String) -> std::fmt::Result {
        let request = self.plan.request();
        let row =
            |out: &mut String, name: &str, value: &str| writeln!(out, "| {name} | {} |", markdown(value));
        writeln!(out, "# Postmortem: {}\n", markdown(&self.incident.title))?;
        writeln!(out, "| Field | Value |\n|---|---|")?;
        row(out, "Incident", self.incident.id.as_str())?;
        row(out, "Issue", request.issue.as_str())?;
        row(out, "Severity", self.incident.severity.as_str())?;
        row(out, "Service", request.service.as_str())?;
        row(out, "Run", self.run.run().as_str())?;
        row(out, "Requested by", &request.requested_by)?;
        row(out, "Opened", &utc(self.incident.opened_at))?;
        if let [first, .., last] = self.timeline {
            row(out, "Run started", &utc(first.at))?;
            row(out, "Run ended", &utc(last.at))?;
            row(out, "Duration", &seconds(first.at, last.at))?;
        }
        match self.run.course() {
            Course::Ended(outcome) => row(out, "Outcome", &outcome.to_string()),
            _ => row(out, "Outcome", "not ended yet"),
        }
    }

    fn what_happened(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## What happened\n")?;
        if let Some(release) = self.plan.release() {
            writeln!(out, "- Release: {} ({})", markdown(&release.to_string()), release.artifact.id())?;
        }
        for base in self.plan.baselines() {
            let release = &base.snapshot.release;
            writeln!(
                out,
                "- Before, on {}: {} ({})",
                base.target,
                markdown(&release.to_string()),
                release.artifact.id()
            )?;
        }
        if let Some(reason) = &self.plan.request().break_glass {
            writeln!(out, "- Break-glass: {}", markdown(reason))?;
        }
        let took_over =
            self.timeline.iter().filter(|entry| matches!(entry.kind, ProgressKind::TakenOver { .. })).count();
        if took_over > 0 {
            writeln!(out, "- Taken over by another process {took_over} time(s); nothing was applied twice")?;
        }
        Ok(())
    }

    fn evidence(&self, out: &mut String) -> std::fmt::Result {
        let verdicts: Vec<(&Verdict, String)> = self
            .timeline
            .iter()
            .filter_map(|entry| match &entry.kind {
                ProgressKind::Decided { step, verdict } => Some((
                    verdict,
                    self.plan.step(*step).map(|step| step.action.to_string()).unwrap_or_default(),
                )),
                _ => None,
            })
            .collect();
        if verdicts.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n## Verdicts\n\n| Gate | Verdict |\n|---|---|")?;
        for (verdict, gate) in verdicts {
            writeln!(out, "| {} | {} |", markdown(&gate), markdown(&verdict.to_string()))?;
        }
        Ok(())
    }

    fn chronology(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Timeline (UTC)\n\n| Time | Event |\n|---|---|")?;
        let looks = |entry: &&Progress| !matches!(entry.kind, ProgressKind::Looked { .. });
        for entry in self.timeline.iter().filter(looks) {
            writeln!(out, "| {} | {} |", entry.at.format("%H:%M:%S%.3f"), markdown(&entry.kind.to_string()))?;
        }
        Ok(())
    }

    fn left_to_do(&self, out: &mut String) -> std::fmt::Result {
        let Course::Ended(outcome) = self.run.course() else {
            return Ok(());
        };
        let left = match outcome {
            Outcome::RolledBack { left, .. } | Outcome::Cancelled { left, .. } => left.as_slice(),
            Outcome::Succeeded { .. } | Outcome::Escalated { .. } => &[],
        };
        writeln!(out, "\n## Left to do\n")?;
        for step in left {
            let what = self.plan.effect(*step).map(ToString::to_string).unwrap_or_default();
            writeln!(out, "- [ ] Could not be tidied up: {}", markdown(&what))?;
        }
        if let Outcome::Escalated { known, .. } = outcome {
            for known in known {
                let last =
                    known.last_applied.and_then(|step| self.plan.effect(step)).map(ToString::to_string);
                let last = last.unwrap_or_else(|| "nothing of this run".to_owned());
                writeln!(out, "- [ ] {}: last applied was {}", known.target, markdown(&last))?;
                if let Some(found) = &known.found {
                    writeln!(out, "  - found {}", markdown(found))?;
                }
            }
        }
        for finding in self.plan.report().at(Level::FollowUp) {
            writeln!(out, "- [ ] {}", markdown(&finding.to_string()))?;
        }
        writeln!(
            out,
            "- [ ] Find the contributing factors and write down what would have caught this earlier"
        )
    }
}

fn utc(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn seconds(from: Timestamp, to: Timestamp) -> String {
    let millis = (to - from).num_milliseconds().max(0);
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}
