//! What two targets may not share: each fences what it writes with epochs of its own, and would be kept out by the other's.

use std::collections::BTreeMap;

use hotfix_core::model::{ServiceName, Target};

use super::{InvalidConfig, TargetConfig, invalid};
use crate::in_place::SetKind;
use crate::object::ObjectRef;
use crate::shape::Names;
use crate::slot::Side;
use crate::traffic::backend::Reached;

/// What belongs to the targets that were looked at so far.
#[derive(Debug, Default)]
pub(super) struct Taken<'a> {
    objects: BTreeMap<ObjectRef, &'a Target>,
    fences: BTreeMap<(&'a str, &'a ServiceName), &'a Target>,
}

impl<'a> Taken<'a> {
    /// Takes everything that a target changes or gets its traffic by.
    ///
    /// # Errors
    /// The first thing that another target has.
    pub(super) fn take(&mut self, target: &'a Target, config: &'a TargetConfig) -> Result<(), InvalidConfig> {
        if let Some(git) = config.on_gitops.in_git()
            && let Some(other) = self.fences.insert((git.repository.as_str(), &git.service), target)
        {
            let mend = format!("{other} has this fence: give each target of a repository one of its own");
            return Err(invalid(target, "on_gitops.git.service", git.service.as_str(), mend));
        }
        let mut own = BTreeMap::new();
        for (field, object) in config.objects() {
            // A Service can be the route of its target too.
            own.entry(object).or_insert(field);
        }
        for (object, field) in own {
            let value = object.to_string();
            if let Some(other) = self.objects.insert(object, target) {
                let mend = format!("{other} has it too: name another one, or make both one target");
                return Err(invalid(target, field, &value, mend));
            }
        }
        Ok(())
    }
}

impl TargetConfig {
    /// The objects of the target, each with the field that names it, or that its name is made of.
    fn objects(&self) -> Vec<(&'static str, ObjectRef)> {
        let names = Names::of(self);
        let mut all = vec![("deployment", names.main)];
        if SetKind::of(self.workload).is_some() || self.on_gitops.in_git().is_some() {
            return all;
        }
        let (route, service) = (self.traffic.object_field(), names.service.name.clone());
        all.extend([("deployment", names.hotfix), ("service", names.service), (route, names.route)]);
        if let Reached::Two(copy) = self.traffic.backend().reached()
            && let Some(name) =
                self.traffic.service_of(Side::Hotfix, &service).filter(|name| *name != service)
        {
            all.push((copy.field, ObjectRef::service(&self.namespace, &name)));
        }
        all.extend(names.autoscaler.map(|autoscaler| ("on_autoscaler.follow.name", autoscaler)));
        all
    }
}
