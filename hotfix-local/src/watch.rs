//! Following a target: each report of the agent against the one before.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures_util::stream::unfold;
use hotfix_core::model::{SlotName, Target};
use hotfix_core::port::{WorkloadChange, WorkloadWatch};

use crate::agent::{Report, Until};
use crate::client::AgentClient;

/// How long one question may stay open; then it is asked again.
const WAIT: Duration = Duration::from_secs(25);

/// Begins with what `first` says and goes on with every change. Each reader asks for itself, so a slow one delays
/// nobody and only finds changes merged.
pub(crate) fn watch(client: AgentClient, target: Target, first: &Report) -> WorkloadWatch {
    let mut seen = Seen::default();
    let pending = VecDeque::from(seen.begin(first));
    let following = Following { client, target, seen, pending };
    Box::pin(unfold(Some(following), |following| async {
        let mut following = following?;
        match following.next().await {
            Ok(change) => Some((Ok(change), Some(following))),
            // After an error there is nothing more.
            Err(error) => Some((Err(error.into_port("deployer.watch")), None)),
        }
    }))
}

struct Following {
    client: AgentClient,
    target: Target,
    seen: Seen,
    pending: VecDeque<WorkloadChange>,
}

impl Following {
    async fn next(&mut self) -> Result<WorkloadChange, crate::LocalError> {
        loop {
            if let Some(change) = self.pending.pop_front() {
                return Ok(change);
            }
            let until = Until { version_not: Some(self.seen.version), ..Until::default() };
            let report = self.client.report(&self.target, until, WAIT).await?;
            self.pending.extend(self.seen.compare(&report));
        }
    }
}

/// What was told so far.
#[derive(Debug, Default)]
struct Seen {
    version: u64,
    fault: u64,
    instances: BTreeMap<SlotName, (u16, u16)>,
}

impl Seen {
    /// The present state: every filled slot and what is wrong with it.
    fn begin(&mut self, report: &Report) -> Vec<WorkloadChange> {
        self.version = report.version;
        self.fault = report.faults.back().map_or(0, |last| last.number);
        let mut changes = self.compare_instances(report);
        for (slot, state) in &report.slots {
            let faulty =
                |fault: &_| WorkloadChange::Faulty { slot: slot.clone(), fault: Clone::clone(fault) };
            changes.extend(state.faults.iter().map(faulty));
        }
        changes
    }

    fn compare(&mut self, report: &Report) -> Vec<WorkloadChange> {
        if report.version < self.version {
            // Another agent counts anew.
            self.fault = 0;
        }
        self.version = report.version;
        let new = report.faults.iter().filter(|numbered| numbered.number > self.fault);
        let faulty = new.map(|numbered| WorkloadChange::Faulty {
            slot: numbered.slot.clone(),
            fault: numbered.fault.clone(),
        });
        let faulty: Vec<WorkloadChange> = faulty.collect();
        self.fault = report.faults.back().map_or(self.fault, |last| last.number);
        let mut changes = self.compare_instances(report);
        changes.extend(faulty);
        changes
    }

    fn compare_instances(&mut self, report: &Report) -> Vec<WorkloadChange> {
        let now = report.slots.iter().map(|(slot, state)| (slot.clone(), (state.replicas, state.ready)));
        let now: BTreeMap<SlotName, (u16, u16)> = now.collect();
        let emptied =
            self.instances.keys().filter(|slot| !now.contains_key(*slot)).map(|slot| (slot, (0, 0)));
        let changed = now.iter().filter(|(slot, state)| self.instances.get(*slot) != Some(state));
        let all = changed.map(|(slot, state)| (slot, *state)).chain(emptied);
        let changes = all.map(|(slot, (replicas, ready))| WorkloadChange::Instances {
            slot: slot.clone(),
            replicas,
            ready,
        });
        let changes = changes.collect();
        self.instances = now;
        changes
    }
}

#[cfg(test)]
mod tests {
    use hotfix_core::model::{ArtifactId, Fault};

    use super::*;
    use crate::agent::{NumberedFault, SlotReport};

    fn slot(name: &str) -> SlotName {
        SlotName::new(name).expect("a slot")
    }

    fn report(version: u64, slots: &[(&str, u16)], faults: &[u64]) -> Report {
        let state = |ready| SlotReport {
            artifact: ArtifactId::new("tree:1").expect("an id"),
            replicas: 2,
            ready,
            faults: Vec::new(),
            instances: Vec::new(),
        };
        let numbered =
            |number: &u64| NumberedFault { number: *number, slot: slot("blue"), fault: exited(*number) };
        Report {
            version,
            slots: slots.iter().map(|(name, ready)| (slot(name), state(*ready))).collect(),
            faults: faults.iter().map(numbered).collect(),
            ..Report::default()
        }
    }

    fn exited(number: u64) -> Fault {
        Fault::Exited { instance: format!("blue-{number}"), status: "exit status: 1".to_owned() }
    }

    fn instances(name: &str, replicas: u16, ready: u16) -> WorkloadChange {
        WorkloadChange::Instances { slot: slot(name), replicas, ready }
    }

    fn faulty(number: u64) -> WorkloadChange {
        WorkloadChange::Faulty { slot: slot("blue"), fault: exited(number) }
    }

    #[test]
    fn changes_are_told_once_and_in_order() {
        let mut seen = Seen::default();
        let begin = seen.begin(&report(5, &[("blue", 2)], &[1, 2]));
        assert_eq!(begin, [instances("blue", 2, 2)], "old faults are history");
        assert_eq!(seen.compare(&report(6, &[("blue", 2)], &[1, 2])), []);
        let changes = seen.compare(&report(7, &[("blue", 1), ("green", 0)], &[2, 3, 4]));
        assert_eq!(changes, [instances("blue", 2, 1), instances("green", 2, 0), faulty(3), faulty(4)]);
        assert_eq!(seen.compare(&report(8, &[("blue", 1)], &[4])), [instances("green", 0, 0)]);
    }

    #[test]
    fn faults_of_the_next_agent_are_new() {
        let mut seen = Seen::default();
        seen.begin(&report(50, &[("blue", 2)], &[9]));
        assert_eq!(seen.compare(&report(2, &[("blue", 2)], &[1])), [faulty(1)]);
    }

    #[test]
    fn what_is_wrong_at_the_beginning_is_told() {
        let mut present = report(5, &[("blue", 0)], &[1]);
        present.slots.values_mut().for_each(|state| state.faults = vec![exited(1)]);
        assert_eq!(Seen::default().begin(&present), [instances("blue", 2, 0), faulty(1)]);
    }
}
