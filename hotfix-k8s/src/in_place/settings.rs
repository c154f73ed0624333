//! What of a configuration means nothing where pods are replaced in place, and so is refused.

use crate::config::{Copies, OnAutoscaler, OnGitOps, TargetConfig, Traffic};
use crate::in_place::SetKind;

impl TargetConfig {
    /// Returns the first field, with its value, that cannot be used for the kind of the workload.
    pub(crate) fn unused_in_place(&self) -> Option<(&'static str, String)> {
        SetKind::of(self.workload)?;
        let fields = [
            ("service", self.service.clone()),
            ("label", self.label.clone()),
            ("traffic", (self.traffic != Traffic::Service).then(|| format!("{:?}", self.traffic))),
            ("on_gitops", matches!(self.on_gitops, OnGitOps::Git(_)).then(|| "git".to_owned())),
            (
                "on_autoscaler",
                matches!(self.on_autoscaler, OnAutoscaler::Follow { .. }).then(|| "follow".to_owned()),
            ),
            ("copies", (self.copies != Copies::Nothing).then(|| format!("{:?}", self.copies))),
        ];
        fields.into_iter().find_map(|(field, value)| Some((field, value?)))
    }
}
