//! What of a configuration means nothing where the image is written in git, and so is refused.

use crate::config::{Copies, OnAutoscaler, Overrides, TargetConfig, Traffic, WorkloadKind};

impl TargetConfig {
    /// Returns the first field, with its value, that cannot be used together with `on_gitops.git`.
    pub(crate) fn unused_in_git(&self) -> Option<(&'static str, String)> {
        self.on_gitops.in_git()?;
        let fields = [
            ("workload", (self.workload != WorkloadKind::Deployment).then(|| format!("{:?}", self.workload))),
            ("service", self.service.clone()),
            ("label", self.label.clone()),
            ("traffic", (self.traffic != Traffic::Service).then(|| format!("{:?}", self.traffic))),
            ("overrides", (self.overrides != Overrides::default()).then(|| format!("{:?}", self.overrides))),
            (
                "on_autoscaler",
                matches!(self.on_autoscaler, OnAutoscaler::Follow { .. }).then(|| "follow".to_owned()),
            ),
            ("copies", (self.copies != Copies::Nothing).then(|| format!("{:?}", self.copies))),
        ];
        fields.into_iter().find_map(|(field, value)| Some((field, value?)))
    }
}
