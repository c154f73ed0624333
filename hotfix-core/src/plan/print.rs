//! A plan as text: what will happen, to what, behind which gate, what takes it back, and from where on nothing does.

use std::fmt::{self, Display, Write};

use super::wording::{count, deeds, effect_deeds, heading, place, short};
use super::{Action, Level, OnFailure, Plan, Step, StepId, Undo};
use crate::model::{Effect, Phase};
use crate::request::{Fix, Goal, Revision, RollbackTo};

impl Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_head(self, f)?;
        write_steps(self, f)?;
        write_rollback(self, f)?;
        write_report(self, f)
    }
}

fn write_head(plan: &Plan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let request = plan.request();
    writeln!(f, "PLAN  {}", title(plan))?;
    let line = |f: &mut fmt::Formatter<'_>, label: &str, text: &str| writeln!(f, "  {label:<10}{text}");
    line(f, "issue", &format!("{} {}: {:?}", request.severity, request.issue, request.title))?;
    line(f, "asked by", &request.requested_by.escape_debug().to_string())?;
    line(f, "facts of", &plan.made_at().to_string())?;
    match &request.goal {
        Goal::Deploy { fix, .. } => line(f, "fix", &fix_text(fix))?,
        Goal::Rollback { because: Some(because), .. } => {
            line(f, "because", &because.escape_debug().to_string())?
        }
        Goal::Create { .. } | Goal::Rollback { .. } | Goal::Watch { .. } => {}
    }
    if let Some(release) = plan.release() {
        let version = &release.version;
        line(f, "release", &format!("{release} = version {version}, {}", short(&release.artifact.id())))?;
    }
    for baseline in plan.baselines() {
        let snapshot = &baseline.snapshot;
        let replicas = count(u64::from(snapshot.replicas.get()), "replica");
        let artifact = snapshot.release.artifact.id();
        let what = format!(
            "{}: {} on {}, {replicas}, {}",
            baseline.target,
            snapshot.release,
            snapshot.slot,
            short(&artifact)
        );
        line(f, "now", &what)?;
    }
    let claims: Vec<String> = plan.claims().iter().map(ToString::to_string).collect();
    line(f, "holds", &claims.join(", "))?;
    let budget = plan.budget();
    line(
        f,
        "time",
        &format!("at most {} forward; {} kept back for the rollback", budget.forward, budget.rollback),
    )
}

/// Returns what the plan is about, on one line.
pub(super) fn title(plan: &Plan) -> String {
    let service = &plan.request().service;
    match (&plan.request().goal, plan.release()) {
        (Goal::Deploy { .. }, Some(release)) => format!("deploy hotfix {} of {service}", release.version),
        (Goal::Watch { target, lasting }, _) => format!("watch {target} for {lasting}"),
        (Goal::Rollback { target, to, .. }, Some(release)) => {
            let asked = match to {
                RollbackTo::LastKnownGood => "the last known good release",
                RollbackTo::Version(_) => "the version asked for",
                RollbackTo::Artifact(_) => "the artifact asked for",
            };
            format!("roll {target} back to {release}, {asked}")
        }
        _ => format!("create a hotfix branch of {service}"),
    }
}

fn fix_text(fix: &Fix) -> String {
    match fix {
        Fix::Commits(commits) => {
            let names: Vec<&str> = commits.iter().map(Revision::as_str).collect();
            format!("{} picked: {}", count(names.len() as u64, "commit"), names.join(", "))
        }
        Fix::Branch(branch) => format!("what branch {branch} holds"),
    }
}

const NO_RETURN: &str =
    "===== POINT OF NO RETURN: from here on nothing is taken back; a failure calls a human =====";

fn write_steps(plan: &Plan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut table = Table::default();
    let mut phase: Option<Phase> = None;
    let no_return = plan.point_of_no_return();
    let changes_something = plan.steps().iter().any(|step| matches!(step.action, Action::Effect(_)));
    for step in plan.steps() {
        if Some(step.id) == no_return && changes_something {
            table.rule(NO_RETURN);
        }
        if phase.replace(step.phase) != Some(step.phase) {
            table.rule(heading(step.phase));
        }
        table.row(
            step.id,
            &place(&step.action),
            deeds(&step.action),
            &format!("{}", step.deadline),
            &failure(plan, step),
        );
    }
    writeln!(f, "\nSTEPS")?;
    table.write(f, ["where", "what", "within", "on failure"])
}

/// Returns what happens when the step fails.
fn failure(plan: &Plan, step: &Step) -> String {
    if step.on_failure == OnFailure::Escalate {
        return "call a human".to_owned();
    }
    let covers = |undo: &&Undo| undo.covers.iter().any(|covered| *covered <= step.id);
    let ids: Vec<StepId> = plan.rollback().iter().filter(covers).map(|undo| undo.id).collect();
    if ids.is_empty() { "stop".to_owned() } else { format!("undo {}", ranges(plan, &ids)) }
}

fn write_rollback(plan: &Plan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if plan.rollback().is_empty() {
        return writeln!(f, "\nROLLBACK  nothing to take back");
    }
    let last = plan.point_of_no_return().map_or(String::new(), |id| format!(" before step {id}"));
    writeln!(
        f,
        "\nROLLBACK  by itself, on any failure{last}; only what was begun; within {}",
        plan.budget().rollback
    )?;
    let mut table = Table::default();
    for undo in plan.rollback() {
        let covers = ranges(plan, &undo.covers);
        let (place, deeds) = (undo.effect.fenced().to_string(), effect_deeds(&undo.effect));
        table.row(undo.id, &place, deeds, &format!("{}", undo.deadline), &covers);
    }
    table.write(f, ["where", "what", "within", "takes back"])?;
    let kept = kept_tags(plan);
    if kept.is_empty() { Ok(()) } else { writeln!(f, "       stays as evidence: {}", kept.join(", ")) }
}

/// Returns the tags that are made before the point of no return and never removed.
fn kept_tags(plan: &Plan) -> Vec<String> {
    let reversible = plan.steps().iter().filter(|step| step.on_failure == OnFailure::RollBack);
    let mut kept = Vec::new();
    for step in reversible {
        if let Action::Effect(Effect::Source { batch, .. }) = &step.action {
            let tags = batch.updates.iter().filter(|update| update.name.is_tag());
            kept.extend(tags.map(|update| format!("tag {}", update.name.short())));
        }
    }
    kept
}

/// Returns "4-9, 12" for ids that count up. Gates between two effects do not break a range.
fn ranges(plan: &Plan, ids: &[StepId]) -> String {
    let is_gate = |id: u16| plan.step(StepId(id)).is_some_and(|step| matches!(step.action, Action::Gate(_)));
    let mut parts: Vec<(StepId, StepId)> = Vec::new();
    for id in ids {
        match parts.last_mut() {
            Some((_, last)) if (last.0 + 1..id.0).all(is_gate) => *last = *id,
            _ => parts.push((*id, *id)),
        }
    }
    let part = |(first, last): &(StepId, StepId)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn write_report(plan: &Plan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if plan.report().findings.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nREPORT")?;
    for level in [Level::Warning, Level::Note, Level::FollowUp] {
        for finding in plan.report().at(level) {
            writeln!(f, "  {level:<8} {finding}")?;
        }
    }
    Ok(())
}

/// Aligned rows with rules between them.
#[derive(Default)]
struct Table(Vec<Line>);

enum Line {
    Rule(String),
    Row { id: String, cells: [String; 4] },
}

impl Table {
    fn rule(&mut self, text: &str) {
        self.0.push(Line::Rule(text.to_owned()));
    }

    fn row(&mut self, id: StepId, place: &str, deeds: Vec<String>, within: &str, last: &str) {
        for (index, what) in deeds.into_iter().enumerate() {
            let first = |text: &str| {
                if index == 0 { text.to_owned() } else { String::new() }
            };
            let cells = [first(place), what, first(within), first(last)];
            self.0.push(Line::Row { id: first(&id.to_string()), cells });
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, heads: [&str; 4]) -> fmt::Result {
        let mut widths = heads.map(str::len);
        for line in &self.0 {
            if let Line::Row { cells, .. } = line {
                for (width, cell) in widths.iter_mut().zip(cells) {
                    *width = (*width).max(cell.chars().count());
                }
            }
        }
        write_row(f, "", &heads.map(str::to_owned), widths)?;
        for line in &self.0 {
            match line {
                Line::Rule(text) => writeln!(f, "  {text}")?,
                Line::Row { id, cells } => write_row(f, id, cells, widths)?,
            }
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, id: &str, cells: &[String; 4], widths: [usize; 4]) -> fmt::Result {
    let mut line = format!("  {id:>3}  ");
    for (cell, width) in cells.iter().zip(widths) {
        write!(line, "{cell:<width$}  ")?;
    }
    writeln!(f, "{}", line.trim_end())
}
