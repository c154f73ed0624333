//! The task that brings about what is wanted of one target: it alone changes its units, routes and report.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::SlotName;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::history::TICK;
use super::instances::{self, Tokens};
use super::member::Update;
use super::router_record::{RouteRecord, RouterRecord};
use super::routing::{Split, UnitKey, next_split};
use super::unit::{Means, Unit};
use crate::error::LocalError;
use crate::layout::TargetFolder;
use crate::ledger;
use crate::process::Instance;
use crate::proxy::{Limits, Proxy, Server, Table};
use crate::state::{Desired, Filling};

/// The task's own state.
#[derive(Debug)]
pub(crate) struct TargetTask {
    folder: TargetFolder,
    means: Means,
    updates: UnboundedReceiver<Update>,
    proxy: Arc<Proxy>,
    server: Option<Server>,
    desired: Option<Desired>,
    /// Which state file `desired` was read from.
    read: Option<(u64, i64, i64)>,
    units: Vec<Unit>,
    /// Numbers the units, so that late news of an old one are not taken for news of its successor.
    next_unit: u64,
    split: Split,
    survivors: Vec<Instance>,
    tasks: JoinSet<()>,
    board: Arc<Board>,
    recorded: RouterRecord,
}

/// How often the state file is looked at when nobody says that it changed.
const POLL: Duration = Duration::from_millis(100);

/// When the port is opened even though nobody can answer yet.
const LISTEN_AT_LATEST: Duration = Duration::from_secs(1);

/// How long requests in flight may take to end when the agent stops.
const STOP_GRACE: Duration = Duration::from_secs(10);

impl TargetTask {
    /// Takes up a target where an earlier agent left it.
    pub(crate) fn new(
        board: Arc<Board>,
        folder: TargetFolder,
        tokens: Arc<Tokens>,
    ) -> Result<Self, LocalError> {
        let path = folder.instances();
        fs::create_dir_all(&path).map_err(LocalError::io("create", &path))?;
        let survivors = instances::survivors(&path)?;
        let recorded = RouterRecord::read(&folder.router());
        let (sender, updates) = unbounded_channel();
        let means = Means { folder: folder.clone(), tokens, updates: sender };
        Ok(Self {
            means,
            folder,
            updates,
            proxy: Arc::new(Proxy::new(Limits::default())),
            server: None,
            desired: None,
            read: None,
            units: Vec::new(),
            next_unit: 1,
            split: Split::new(),
            survivors,
            tasks: JoinSet::new(),
            board,
            recorded,
        })
    }

    /// Works until `stop`. The processes are left running.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        self.resume_routes();
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tick = tokio::time::interval(TICK);
        let started = Instant::now();
        loop {
            let board = Arc::clone(&self.board);
            let changed = tokio::select! {
                () = stop.cancelled() => break,
                _ = poll.tick() => self.look(),
                () = board.nudge.notified() => self.look(),
                _ = tick.tick() => self.tick(),
                Some(update) = self.updates.recv() => self.take_in(update),
                Some(_) = self.tasks.join_next() => true,
            };
            if changed {
                self.converge();
            }
            if self.server.is_none() && (self.can_answer() || started.elapsed() > LISTEN_AT_LATEST) {
                self.listen().await;
            }
        }
        if let Some(server) = self.server.take() {
            server.stop(STOP_GRACE).await;
        }
    }

    /// Puts the units back that had traffic when the last agent ended, if their processes still run.
    fn resume_routes(&mut self) {
        for route in std::mem::take(&mut self.recorded.routes) {
            let key = (route.slot.clone(), route.filling.release.artifact.id());
            let survives =
                |instance: &Instance| instance.slot == key.0 && instance.release.artifact.id() == key.1;
            if self.survivors.iter().any(survives) {
                self.unit(&key.0, &route.filling);
            }
            self.split.insert(key, route.percent);
        }
        // A share without a process would keep the others from being taken over.
        if self.units.len() < self.split.len() {
            self.split.retain(|key, _| self.units.iter().any(|unit| unit.key == *key));
        }
    }

    /// Reads what is wanted, and tells whether it changed.
    fn look(&mut self) -> bool {
        let path = self.folder.state();
        let stamp = fs::metadata(&path).map(|file| (file.ino(), file.mtime(), file.mtime_nsec())).ok();
        if stamp.is_none() || stamp == self.read {
            return false;
        }
        match ledger::load(&self.folder) {
            Ok(state) => {
                (self.desired, self.read) = (state.map(|state| state.desired), stamp);
                true
            }
            Err(error) => {
                self.board.publish(|report| report.trouble = Some(error.to_string()));
                false
            }
        }
    }

    /// Keeps the history; nothing changes by it.
    fn tick(&self) -> bool {
        let Some(desired) = &self.desired else {
            return false;
        };
        for unit in &self.units {
            let held = desired.filling(&unit.key.0).map(|filling| filling.release.artifact.id());
            if held.as_ref() == Some(&unit.key.1) {
                self.board.history.tick(&unit.key.0, unit.number, unit.total());
            }
        }
        false
    }

    /// Whether every side that had traffic when the last agent ended can take it again.
    fn can_answer(&self) -> bool {
        self.split.iter().filter(|(_, percent)| **percent > 0).all(|(key, _)| self.ready(key) > 0)
    }

    /// Opens the target's port: the one that is wanted or, where any will do, the one that was used before.
    async fn listen(&mut self) {
        let Some(desired) = &self.desired else {
            return;
        };
        let address = desired.listen;
        let before = self.recorded.port.filter(|_| address.port() == 0);
        let again = match before {
            Some(port) => TcpListener::bind((address.ip(), port)).await.ok(),
            None => None,
        };
        let listening = async {
            let listener = match again {
                Some(listener) => listener,
                None => TcpListener::bind(address).await?,
            };
            Server::of_proxy(listener, Arc::clone(&self.proxy))
        };
        match listening.await {
            Ok(server) => {
                let address = server.address;
                self.server = Some(server);
                self.recorded.port = Some(address.port());
                self.board.publish(|report| (report.address, report.trouble) = (Some(address), None));
                self.record();
            }
            Err(error) => {
                let in_use = LocalError::PortInUse { address, purpose: "traffic of the target" };
                let taken = error.kind() == std::io::ErrorKind::AddrInUse;
                let trouble =
                    if taken { in_use.to_string() } else { format!("cannot listen on {address}: {error}") };
                self.board.publish(|report| report.trouble = Some(trouble));
            }
        }
    }

    fn take_in(&mut self, update: Update) -> bool {
        let Some(unit) = self.units.iter_mut().find(|unit| unit.number == update.member.unit) else {
            return false;
        };
        let slot = unit.key.0.clone();
        if let Some(fault) = unit.take_in(update.member.index, update.news) {
            self.board.tell(slot, fault);
        }
        true
    }

    /// Takes every step towards what is wanted that is safe now.
    fn converge(&mut self) {
        let Some(desired) = self.desired.clone() else {
            return;
        };
        for (slot, filling) in &desired.slots {
            if let Some(filling) = filling {
                self.unit(slot, filling);
            }
        }
        let held = self.route(&desired);
        let unwanted = self.take_unwanted(&desired);
        for unit in &mut self.units {
            unit.scale(&mut self.survivors, &mut self.tasks);
        }
        self.stop_strangers();
        // The routes go first: what is drained must not be found by new requests.
        self.show_routes();
        self.units.iter_mut().for_each(Unit::dismiss_surplus);
        unwanted.into_iter().for_each(Unit::retire);
        self.tell(&desired, held);
    }

    /// Makes sure that there is such a unit.
    fn unit(&mut self, slot: &SlotName, filling: &Filling) {
        let key = (slot.clone(), filling.release.artifact.id());
        if let Some(unit) = self.units.iter_mut().find(|unit| unit.key == key) {
            unit.refill(filling);
            return;
        }
        self.units.push(Unit::new(self.next_unit, key, filling.clone(), self.means.clone()));
        self.next_unit += 1;
    }

    /// Takes over the wanted split, or says for what it waits.
    fn route(&mut self, desired: &Desired) -> Option<String> {
        match next_split(desired, &self.split, |key| self.ready(key)) {
            Ok(split) => {
                self.split = split;
                None
            }
            Err(slot) => Some(format!("waits for a ready instance of {slot}")),
        }
    }

    fn ready(&self, key: &UnitKey) -> u16 {
        self.units.iter().find(|unit| unit.key == *key).map_or(0, Unit::ready)
    }

    /// Takes out the units that are neither wanted nor have traffic.
    fn take_unwanted(&mut self, desired: &Desired) -> Vec<Unit> {
        let wanted = |unit: &Unit| {
            let held = desired.filling(&unit.key.0).map(|filling| filling.release.artifact.id());
            held.as_ref() == Some(&unit.key.1)
                || self.split.get(&unit.key).is_some_and(|percent| *percent > 0)
        };
        let (kept, unwanted) = std::mem::take(&mut self.units).into_iter().partition(wanted);
        self.units = kept;
        unwanted
    }

    /// Processes of an earlier agent that no unit took over.
    fn stop_strangers(&mut self) {
        for stranger in self.survivors.drain(..) {
            tracing::info!(token = stranger.token, "stopping a process that is not wanted any more");
            self.tasks.spawn(instances::stop_stranger(stranger, self.folder.instances()));
        }
    }

    fn show_routes(&self) {
        let routes =
            self.units.iter().map(|unit| unit.route(self.split.get(&unit.key).copied().unwrap_or(0)));
        self.proxy.replace_table(Table::new(routes.collect()));
        self.board.series.replace(self.units.iter().flat_map(Unit::series).collect());
    }

    fn tell(&mut self, desired: &Desired, held: Option<String>) {
        if held.is_none() && self.recorded.routed < desired.generation {
            self.recorded.routed = desired.generation;
            self.record();
        }
        let mut weights = BTreeMap::new();
        for ((slot, _), percent) in &self.split {
            *weights.entry(slot.clone()).or_insert(0) += percent;
        }
        let unit_of = |slot: &SlotName| {
            let artifact = desired.filling(slot)?.release.artifact.id();
            self.units.iter().find(|unit| unit.key == (slot.clone(), artifact.clone()))
        };
        let slots =
            desired.slots.keys().filter_map(|slot| Some((slot.clone(), unit_of(slot)?.report()))).collect();
        let wanted_tasks = self.units.iter().map(Unit::members).sum::<usize>();
        let settled = held.is_none() && self.tasks.len() == wanted_tasks;
        let routed = self.recorded.routed;
        self.board.publish(move |report| {
            (report.seen, report.routed, report.held) = (desired.generation, routed, held);
            (report.weights, report.slots) = (weights, slots);
            if settled {
                report.settled = desired.generation;
            }
        });
    }

    /// Makes the split and the port known to the next agent.
    fn record(&mut self) {
        let known = |key: &UnitKey| self.units.iter().find(|unit| unit.key == *key);
        let routes = self.split.iter().filter_map(|(key, percent)| {
            let filling = known(key)?.filling.clone();
            Some(RouteRecord { slot: key.0.clone(), filling, percent: *percent })
        });
        let record = RouterRecord { routes: routes.collect(), ..self.recorded.clone() };
        if let Err(error) = record.write(&self.folder.router()) {
            // The split is in effect all the same; only the next agent would start from an older one.
            tracing::error!(%error, "cannot record the traffic split");
        }
    }
}
