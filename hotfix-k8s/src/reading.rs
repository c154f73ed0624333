//! Reads a target: all of it in one round, or what a switch back has to know.

use hotfix_core::model::Target;
use tokio::time::Instant;

use crate::config::{TargetConfig, Traffic};
use crate::deployer::{KubernetesDeployer, object};
use crate::error::Unusable;
use crate::object::ObjectRef;
use crate::pod::Pod;
use crate::replica_set::ReplicaSet;
use crate::shape::{Names, Shape};
use crate::sight::{Object, Patience, Sight, Unreadable};
use crate::slot::Side;
use crate::traffic::backend::Means;
use crate::traffic::dial::Dial;
use crate::traffic::{Objections, Route};

/// Which pods are read.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    All,
    /// One of the slot that can take traffic; all when the one that could before cannot now.
    Ready(Side),
}

/// The objects of a target.
struct Objects {
    main: Object,
    hotfix: Option<Object>,
    service: Object,
    /// Where it is not the Service.
    route: Option<Object>,
    autoscaler: Option<Object>,
}

impl KubernetesDeployer {
    /// Reads everything that belongs to a target, from the store behind the API server.
    pub(crate) async fn sight(&self, target: &Target, deadline: Instant) -> Result<Sight, Unusable> {
        self.sight_with(target, Wanted::All, deadline).await
    }

    /// Reads the same with one pod of the slot if that can take traffic, and with all pods otherwise.
    ///
    /// A pod by name comes from the store at once. For a list the server first makes sure that its cache is as new as
    /// the store, which takes it up to a tenth of a second: more than the rest of an undo.
    pub(crate) async fn sight_of_ready(
        &self,
        target: &Target,
        side: Side,
        deadline: Instant,
    ) -> Result<Sight, Unusable> {
        self.sight_with(target, Wanted::Ready(side), deadline).await
    }

    async fn sight_with(
        &self,
        target: &Target,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<Sight, Unusable> {
        let config = self.target(target)?;
        // How far shares by pods are, no single pod tells.
        let wanted = if matches!(config.traffic, Traffic::Replicas(_)) { Wanted::All } else { wanted };
        let names = Names::of(config);
        let known = self.memory.of(target);
        let early = async {
            let known = known.as_ref()?;
            match wanted {
                Wanted::All => Some(self.members(config, &known.selector, deadline).await),
                Wanted::Ready(side) => {
                    let name = known.ready[side as usize].as_deref()?;
                    let pod = self.pod(&config.namespace, name, deadline).await;
                    Some(pod.map(|pods| (pods, Vec::new())))
                }
            }
        };
        let apart = names.route != names.service;
        let route = async { if apart { self.fetch(&names.route, deadline).await } else { Ok(None) } };
        let (main, hotfix, service, route, autoscaler, early) = tokio::join!(
            self.fetch(&names.main, deadline),
            self.fetch(&names.hotfix, deadline),
            self.fetch(&names.service, deadline),
            route,
            self.fetch_any(names.autoscaler.as_ref(), deadline),
            early,
        );
        let (main, service) = (present(&names.main, main?)?, present(&names.service, service?)?);
        let shape = Shape::read(config, &main.value, &service.value)?;
        let pod_labels = shape.pods();
        let early = early.filter(|_| known.is_some_and(|known| known.selector == pod_labels));
        let (hotfix, autoscaler) = (hotfix?, autoscaler?);
        let ((pods, sets), mut is_guess) = match (wanted, early) {
            (Wanted::All, Some(members)) => (members?, false),
            (Wanted::Ready(_), Some(Ok(members))) => (members, true),
            _ => (self.members(config, &pod_labels, deadline).await?, false),
        };
        let route = if apart { Some(present(&names.route, route?)?) } else { None };
        let objects = Objects { main, hotfix, service, route, autoscaler };
        let mut sight = self.assemble(config, shape, objects, pods, &sets)?;
        if let (Wanted::Ready(side), true) = (wanted, is_guess)
            && sight.ready(side) == 0
        {
            (sight.pods, is_guess) = (self.members(config, &pod_labels, deadline).await?.0, false);
        }
        if !is_guess {
            self.memory.saw(target, pod_labels, &sight);
        }
        Ok(sight)
    }

    /// Reads what tells whether the main Deployment serves: itself, its Service and a pod that was ready before. The rest is
    /// as it was the last time; what of it an undo depends on, it has the server compare.
    ///
    /// `None` where that is not known, where there was no traffic to move, or where the pod takes none.
    pub(crate) async fn sight_of_serving(&self, target: &Target, deadline: Instant) -> Option<Sight> {
        let config = self.target(target).ok()?;
        let known = self.memory.of(target)?;
        let rest = known.rest()?;
        let pod = known.ready[Side::Main as usize].as_deref()?;
        let names = Names::of(config);
        let (main, service, pods) = tokio::join!(
            self.fetch(&names.main, deadline),
            self.fetch(&names.service, deadline),
            self.pod(&config.namespace, pod, deadline),
        );
        let (main, service) = (main.ok()??, service.ok()??);
        let apart = names.route != names.service;
        let route = if apart { Some(object(&names.route, rest.route).ok()?) } else { None };
        let hotfix = rest.hotfix.and_then(|hotfix| object(&names.hotfix, hotfix).ok());
        let autoscaler = names.autoscaler.as_ref().zip(rest.autoscaler);
        let autoscaler = autoscaler.and_then(|(name, autoscaler)| object(name, autoscaler).ok());
        let shape = Shape::read(config, &main.value, &service.value).ok()?;
        let objects = Objects { main, hotfix, service, route, autoscaler };
        let sight = self.assemble(config, shape, objects, pods.ok()?, &[]).ok()?;
        (sight.ready(Side::Main) > 0).then_some(sight)
    }

    fn assemble(
        &self,
        config: &TargetConfig,
        shape: Shape,
        objects: Objects,
        pods: Vec<Pod>,
        sets: &[ReplicaSet],
    ) -> Result<Sight, Unusable> {
        let Objects { main, hotfix, service, route, autoscaler } = objects;
        let (names, slots) = (Names::of(config), self.slots.clone());
        let (traffic, dial): (Box<dyn Route>, _) = match config.traffic.means(&names, &shape, &slots) {
            Means::Route(route) => (route, None),
            Means::Pods(allowed) => {
                let copy = hotfix.as_ref().map(|copy| &copy.value);
                let dial = Dial::read(allowed, &slots, &service, (&main.value, copy), sets, &pods);
                let dial = dial.map_err(|error| Unreadable::Route(error.into()))?;
                (Box::new(dial.clone()), Some(dial))
            }
        };
        let selector = service.value["spec"]["selector"].clone();
        let route = Object { reference: traffic.object(), ..route.unwrap_or(service) };
        let (patience, before) = (Patience::Left, Objections::default());
        Ok(Sight {
            slots,
            shape,
            main,
            hotfix,
            route,
            autoscaler,
            selector,
            traffic,
            dial,
            pods,
            patience,
            before,
        })
    }

    /// Reads the pods of both slots, and their ReplicaSets where the traffic is told by them.
    async fn members(
        &self,
        config: &TargetConfig,
        labels: &str,
        deadline: Instant,
    ) -> Result<(Vec<Pod>, Vec<ReplicaSet>), Unusable> {
        let sets = async {
            match config.traffic {
                Traffic::Replicas(_) => {
                    self.listed("apps/v1", "replicasets", &config.namespace, labels, deadline).await
                }
                _ => Ok(Vec::new()),
            }
        };
        let (pods, sets) = tokio::join!(self.pods(&config.namespace, labels, deadline), sets);
        Ok((pods?, sets?.iter().filter_map(ReplicaSet::read).collect()))
    }
}

fn present(reference: &ObjectRef, object: Option<Object>) -> Result<Object, Unusable> {
    object.ok_or_else(|| Unusable::Missing(reference.clone().into()))
}
