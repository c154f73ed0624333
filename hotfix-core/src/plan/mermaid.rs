//! A plan as a Mermaid flowchart: phases as boxes, gates as hexagons, the rollback beside them.

use std::fmt::{self, Display};

use super::print::title;
use super::wording::{deeds, effect_deeds, heading, place};
use super::{Action, OnFailure, Plan, Step, Undo};
use crate::model::Phase;

/// Shows a plan as a Mermaid flowchart.
#[derive(Debug, Clone, Copy)]
pub struct Mermaid<'a>(pub &'a Plan);

impl Display for Mermaid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.0;
        writeln!(f, "---\ntitle: {}\n---\nflowchart TD", quoted(&title(plan)))?;
        write_phases(plan, f)?;
        write_rollback(plan, f)?;
        write_order(plan, f)?;
        writeln!(f, "  classDef gate fill:#fff4d6,stroke:#b7791f,color:#3d2c00")?;
        writeln!(f, "  classDef final fill:#ffe3e3,stroke:#c92a2a,color:#3d0000")?;
        writeln!(f, "  classDef undo fill:#e7f0ff,stroke:#1c5fb8,color:#00193d")
    }
}

fn write_phases(plan: &Plan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut open: Option<(Phase, OnFailure)> = None;
    for step in plan.steps() {
        let part = (step.phase, step.on_failure);
        if open != Some(part) {
            if open.is_some() {
                writeln!(f, "  end")?;
            }
            let note = match step.on_failure {
                OnFailure::RollBack => "",
                OnFailure::Escalate => ", past the point of no return",
            };
            let text = quoted(&format!("{}{note}", heading(step.phase)));
            writeln!(f, "  subgraph p{}[{text}]", step.id)?;
            open = Some(part);
        }
        write_step(step, f)?;
    }
    writeln!(f, "  end")
}

fn write_step(step: &Step, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = label(&step.id.to_string(), &place(&step.action), &deeds(&step.action));
    let id = step.id;
    match (&step.action, step.on_failure) {
        (Action::Gate(_), _) => writeln!(f, "    s{id}{{{{{text}}}}}:::gate"),
        (Action::Effect(_), OnFailure::Escalate) => writeln!(f, "    s{id}[{text}]:::final"),
        (Action::Effect(_), OnFailure::RollBack) => writeln!(f, "    s{id}[{text}]"),
    }
}

fn write_rollback(plan: &Plan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if plan.rollback().is_empty() {
        return Ok(());
    }
    writeln!(f, "  subgraph rollback[\"Rollback, by itself on any failure before the point of no return\"]")?;
    for Undo { id, effect, .. } in plan.rollback() {
        let text = label(&id.to_string(), &effect.fenced().to_string(), &effect_deeds(effect));
        writeln!(f, "    s{id}[{text}]:::undo")?;
    }
    writeln!(f, "  end")
}

fn write_order(plan: &Plan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for pair in plan.steps().windows(2) {
        writeln!(f, "  s{} --> s{}", pair[0].id, pair[1].id)?;
    }
    for pair in plan.rollback().windows(2) {
        writeln!(f, "  s{} --> s{}", pair[0].id, pair[1].id)?;
    }
    for Undo { id, covers, .. } in plan.rollback() {
        if let Some(first) = covers.first() {
            writeln!(f, "  s{id} -. takes back .-> s{first}")?;
        }
    }
    Ok(())
}

fn label(id: &str, place: &str, deeds: &[String]) -> String {
    let lines: Vec<String> = deeds.iter().map(|deed| escaped(deed)).collect();
    format!("\"{id}. {}<br/>{}\"", escaped(place), lines.join("<br/>"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Text that Mermaid shows as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '`' => out.push_str("#96;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
