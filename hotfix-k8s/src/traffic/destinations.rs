//! What the slots are called in the routes of a VirtualService.

use super::cursor::{At, Misfit};
use crate::slot::Side;

/// What the slots are called in the routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recipients {
    /// A Service for each slot.
    Hosts { main: Service, hotfix: Service },
    /// A subset of one Service for each slot.
    Subsets { of: Service, main: String, hotfix: String },
}

/// A Service by name and namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Service {
    /// Whether a host that an object names is this Service. A short name is of the namespace of the object.
    pub(super) fn is_named(&self, host: &str, namespace: &str) -> bool {
        let mut labels = host.splitn(4, '.');
        labels.next() == Some(&self.name)
            && labels.next().unwrap_or(namespace) == self.namespace
            && labels.next().is_none_or(|label| label == "svc")
    }
}

impl Recipients {
    /// The slot to which an entry of a route sends.
    pub(super) fn side(&self, entry: &At<'_>, namespace: &str) -> Result<Option<Side>, Misfit> {
        let destination = entry.need("destination", "name a destination")?;
        let host = destination.text("host")?.unwrap_or_default();
        let subset = destination.text("subset")?;
        match self {
            Self::Hosts { main, hotfix } => {
                let main = main.is_named(host, namespace).then_some(Side::Main);
                let side = main.or_else(|| hotfix.is_named(host, namespace).then_some(Side::Hotfix));
                match (side, subset) {
                    (Some(_), Some(subset)) => Err(destination.misfit(format!(
                        "is a subset ({subset}) of {host}, and the slots are whole Services; \
                         name the slots by subsets"
                    ))),
                    (side, _) => Ok(side),
                }
            }
            Self::Subsets { of, .. } if !of.is_named(host, namespace) => Ok(None),
            Self::Subsets { main, hotfix, .. } => match subset {
                Some(subset) if subset == main => Ok(Some(Side::Main)),
                Some(subset) if subset == hotfix => Ok(Some(Side::Hotfix)),
                Some(_) => Ok(None),
                None => Err(destination.misfit(format!(
                    "is all of {host}, and the slots are its subsets {main} and {hotfix}; name a subset"
                ))),
            },
        }
    }

    /// What a slot is called in messages.
    pub(super) fn name(&self, side: Side) -> String {
        match (self, side) {
            (Self::Hosts { main: service, .. }, Side::Main)
            | (Self::Hosts { hotfix: service, .. }, Side::Hotfix) => service.name.clone(),
            (Self::Subsets { of, main: subset, .. }, Side::Main)
            | (Self::Subsets { of, hotfix: subset, .. }, Side::Hotfix) => {
                format!("{} subset {subset}", of.name)
            }
        }
    }
}
