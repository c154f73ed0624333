//! Which environment plays which part.

use serde::{Deserialize, Serialize};

use super::invalid::Faults;
use crate::model::EnvironmentName;

/// The environments by role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnvironmentPolicy {
    /// Where a fix is tried first. Absent: there is no such place, and every plan says so.
    /// Written `"none"`.
    #[serde(with = "super::or_none")]
    pub staging: Option<EnvironmentName>,
    /// Where the users are.
    pub production: EnvironmentName,
}

impl Default for EnvironmentPolicy {
    fn default() -> Self {
        let name = |text| EnvironmentName::new(text).expect("a plain word is an environment name");
        Self { staging: Some(name("staging")), production: name("production") }
    }
}

impl EnvironmentPolicy {
    pub(super) fn check(&self, faults: &mut Faults) {
        if self.staging.as_ref() == Some(&self.production) {
            faults.add(
                "environments.staging",
                &self.production,
                "environments other than environments.production",
            );
        }
        for (field, name) in [("staging", self.staging.as_ref()), ("production", Some(&self.production))] {
            if name.is_some_and(|name| name.as_str() == "source") {
                faults.add(
                    &format!("environments.{field}"),
                    "source",
                    "names other than source, which is the repository",
                );
            }
        }
    }
}
