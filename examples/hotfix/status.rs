//! `status`: what runs where, which runs there are and who drives them, and which messages did not arrive.

use hotfix::model::{Target, Workload};
use hotfix::port::{
    Deployer as _, IncidentStore as _, OutboxItem, OutboxState, RunFilter, RunState, RunSummary,
};

use crate::backends::Session;
use crate::exit::{Exit, Failure};
use crate::say;

/// Shows everything. A part that cannot be read says why and does not hide the others.
pub(crate) async fn run(session: &Session, all: bool) -> Result<Exit, Failure> {
    // Straight from the store: an engine would begin to deliver messages.
    let store = session.store().await?;
    say::line("TARGETS");
    let deployer = session.deployer();
    let mut exit = Exit::Done;
    for target in session.targets() {
        match deployer.observe(&target).await {
            Ok(workload) => show_workload(&target, &workload),
            Err(error) => {
                exit = Exit::Failed;
                say::line(format_args!("  {target}: {error}"));
            }
        }
    }
    let runs = store.runs(if all { RunFilter::All } else { RunFilter::Open }).await?;
    say::line(if all { "RUNS" } else { "OPEN RUNS" });
    listed(&runs, show_run);
    let undelivered = store.undelivered().await?;
    say::line("UNDELIVERED MESSAGES");
    listed(&undelivered, show_message);
    Ok(exit)
}

fn listed<T>(items: &[T], show: impl Fn(&T)) {
    if items.is_empty() {
        say::line("  none");
    }
    items.iter().for_each(show);
}

fn show_workload(target: &Target, workload: &Workload) {
    if workload.live.is_none() {
        return say::line(format_args!(
            "  {target}: nothing is live; `hotfix install --tag …` puts the first release there"
        ));
    }
    for (slot, held) in workload.slots.iter().filter_map(|(slot, held)| Some((slot, held.as_ref()?))) {
        let weight = workload.weights.as_ref().map_or(0, |weights| weights.of(slot));
        let live = if workload.live.as_ref() == Some(slot) { ", live" } else { "" };
        let (release, ready, replicas) = (&held.release, held.ready, held.replicas);
        say::line(format_args!(
            "  {target}: {release} on {slot}{live}, {ready}/{replicas} ready, {weight} % of the traffic"
        ));
        for fault in &held.faults {
            say::line(format_args!("    {fault}"));
        }
    }
}

fn show_run(run: &RunSummary) {
    let RunSummary { run, state, holder, claims, incident, opened_at, entries, .. } = run;
    let opened = opened_at.format("%Y-%m-%d %H:%M:%S UTC");
    let state = match state {
        RunState::Active => format!("driven by {holder}"),
        RunState::Quarantined => format!("needs a human, driven by {holder}"),
        RunState::Ended => "ended".to_owned(),
    };
    let claims: Vec<_> = claims.iter().map(ToString::to_string).collect();
    say::line(format_args!(
        "  {run}: {state}; since {opened}, {entries} entries, {incident}, on {}",
        claims.join(", ")
    ));
}

fn show_message(item: &OutboxItem) {
    let why = match &item.state {
        OutboxState::Waiting => "waits".to_owned(),
        OutboxState::Uncertain => "may have arrived".to_owned(),
        OutboxState::Dead { cause } => format!("given up: {cause}"),
    };
    say::line(format_args!("  {} to {}: {why}, {} attempts", item.id, item.destination, item.attempts));
}
