//! A sequence of actions as a story that a person can follow.

use std::fmt::Write as _;

use super::action::Action;
use super::machines::Brief;
use super::model::Model;
use super::world::{BASELINE, FOREIGN, Kind, Phase, Value, World};

/// Tells what each action is and what the world is like after it.
pub(super) fn tell(model: &mut Model, start: World, actions: &[Action]) -> String {
    let mut story = String::new();
    let mut world = start;
    for (number, action) in (1..).zip(actions) {
        let moved = model.act(&world, *action);
        let _ = write!(story, "{number:>3}. {}", describe(model, &world, *action));
        for invariant in moved.breaches.iter() {
            let _ = write!(story, "  ** broken: {invariant} **");
        }
        story.push('\n');
        world = moved.world;
        picture(model, &world, &mut story);
    }
    story
}

fn describe(model: &Model, world: &World, action: Action) -> String {
    let who = |worker: u8| {
        let node = world.workers[usize::from(worker)];
        format!("[{}]", waits(model, node))
    };
    let which = |request: u8| {
        let request = world.requests[usize::from(request)];
        format!("{:?} of run {} at {:?}", request.kind, request.run, request.mark)
    };
    match action {
        Action::Commit { worker }
        | Action::Seal { worker }
        | Action::SealFails { worker, .. }
        | Action::Probe { worker, .. }
        | Action::ProbeFails { worker, .. }
        | Action::Judge { worker, .. }
        | Action::Tick { worker }
        | Action::Tell { worker, .. }
        | Action::Say { worker, .. }
        | Action::Crash { worker } => format!("{action:?} {}", who(worker)),
        Action::Deliver { request, .. }
        | Action::Refuse { request, .. }
        | Action::StopHalfWay { request }
        | Action::Duplicate { request } => format!("{action:?} ({})", which(request)),
        Action::Open { .. } | Action::TakeOver { .. } | Action::Edit { .. } => {
            format!("{action:?}")
        }
    }
}

fn waits(model: &Model, node: u32) -> String {
    let Brief { run, epoch, pending } = model.machines.brief(node);
    let what = model
        .machines
        .record(node)
        .map_or_else(|| format!("{pending:?}"), |record| format!("append {record:?}"));
    format!("run {run} epoch {epoch}: {what}")
}

fn picture(model: &Model, world: &World, story: &mut String) {
    for (run, ledger) in world.runs.iter().enumerate() {
        if ledger.phase != Phase::Unopened {
            let course = model.machines.fold(ledger.fold).course();
            let _ = writeln!(
                story,
                "       run {run}: {:?}, epoch {}, applied {:b}, course {course:?}",
                ledger.phase, ledger.epoch, ledger.applied
            );
        }
    }
    for (number, target) in world.targets.iter().enumerate().take(model.scenario.targets.len()) {
        let _ = writeln!(
            story,
            "       {}: holds {}{}, fence {:?}, owner {}",
            model.scenario.targets[number],
            value(target.value),
            if target.half > 0 { " and a part of something else" } else { "" },
            target.fence,
            target.owner.checked_sub(1).map_or_else(|| "none".to_owned(), |run| format!("run {run}"))
        );
    }
    for request in world.requests.iter().filter(|request| !request.is_empty()) {
        let what = match request.kind {
            Kind::Apply(step) => format!("apply step {step}"),
            Kind::Unannounced(step) => format!("apply step {step} without an intent"),
            Kind::Seal(target) => format!("seal target {target}"),
        };
        let _ = writeln!(story, "       under way: run {} {:?} {what}", request.run, request.mark);
    }
    for node in world.workers.iter().filter(|node| **node != 0) {
        let _ = writeln!(story, "       worker of {}", waits(model, *node));
    }
}

fn value(value: Value) -> String {
    match value {
        BASELINE => "the baseline".to_owned(),
        FOREIGN => "something foreign".to_owned(),
        other => format!("value {other}"),
    }
}
