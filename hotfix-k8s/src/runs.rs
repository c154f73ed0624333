//! How the pods of what a slot holds are told from others: by a label of ours, or by the image that they run.

use crate::in_git::Written;
use crate::pod::Pod;

/// What the pods of a slot have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Runs {
    /// The label [`names::ARTIFACT`](crate::names::ARTIFACT) that a template gives them; none where nobody staged it.
    Labelled(Option<String>),
    /// The image of a container, where nobody may label a template.
    Image {
        container: String,
        written: Written,
        /// What an image that is named by its tag alone has to be, where that is known.
        digest: Option<String>,
    },
}

impl Runs {
    /// Whether a pod runs what the slot holds.
    pub(crate) fn is_in(&self, pod: &Pod) -> bool {
        match self {
            Self::Labelled(label) => pod.artifact == *label,
            Self::Image { container, written, digest } => {
                // A pod that has not started yet tells no digest.
                let is_same = |digest: &String| pod.digest(container).is_none_or(|found| found == digest);
                pod.image(container).is_some_and(|image| written.matches(image))
                    && digest.as_ref().is_none_or(is_same)
            }
        }
    }
}
