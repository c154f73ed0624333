//! What the Deployment alone tells of its slots: how many pods each is to have and how they are recognised.

use hotfix_core::model::Artifact;
use serde_json::Value;

use super::marks::{Marks, Staged};
use super::written::Written;
use crate::facts::DeploymentFacts;
use crate::pod;
use crate::rollout::Rolled;
use crate::runs::Runs;
use crate::sight;
use crate::slot::Side;
use crate::template;

/// What a Deployment says of its slots.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) marks: Marks,
    /// How many pods there are to be.
    pub(crate) total: u16,
    /// The image of its template.
    pub(crate) image: String,
}

impl View {
    /// Reads a Deployment by its marks.
    pub(crate) fn of(marks: Marks, object: &Value) -> Self {
        let image = template::image(object.pointer("/spec/template"), &marks.container);
        let image = image.unwrap_or_default().to_owned();
        Self { total: sight::replicas(object), image, marks }
    }

    /// Returns what a slot holds by the marks. Somebody else may have deployed over the live one since.
    pub(crate) fn staged(&self, side: Side) -> Option<&Staged> {
        let staged = self.marks.slots.get(&side);
        staged.filter(|_| side != self.marks.live || !self.is_foreign())
    }

    /// Whether the template has an image that no slot was given.
    fn is_foreign(&self) -> bool {
        self.marks.named(|written| written.matches(&self.image)).is_none()
    }

    /// Returns how the pods of a slot are recognised.
    pub(crate) fn runs(&self, side: Side) -> Runs {
        let container = self.marks.container.clone();
        match self.staged(side) {
            Some(Staged { release, written, .. }) => {
                let digest = match &release.artifact {
                    Artifact::Image(image) => Some(image.digest().to_owned()),
                    Artifact::Tree(_) => None,
                };
                Runs::Image { container, written: written.clone(), digest }
            }
            None => Runs::Image { container, written: Written::whole(&self.image), digest: None },
        }
    }

    /// Returns what a watch keeps of a slot.
    pub(crate) fn facts(&self, side: Side, object: &Value) -> DeploymentFacts {
        let metadata = &object["metadata"];
        let is_held = side == self.marks.live || self.marks.slots.contains_key(&side);
        let replicas = if is_held { self.total } else { 0 };
        // What the controller says is about the template.
        let has_template = match self.staged(side) {
            Some(staged) => staged.written.matches(&self.image),
            None => true,
        };
        let faults = if has_template { sight::deployment_faults(object) } else { Vec::new() };
        DeploymentFacts {
            name: metadata["name"].as_str().unwrap_or_default().to_owned(),
            version: pod::version(metadata),
            replicas,
            most_ready: replicas,
            runs: self.runs(side),
            // The image tells the pods of the template.
            rolled: Rolled::Whole,
            faults,
        }
    }
}

#[cfg(test)]
mod tests {
    use hotfix_core::model::{ImageReference, Release, TagName, Version};
    use serde_json::json;

    use super::super::marks::Stand;
    use super::super::written::Part;
    use super::*;
    use crate::pod::Pod;

    fn digest(digit: char) -> String {
        format!("sha256:{}", digit.to_string().repeat(64))
    }

    fn staged(digit: char) -> Staged {
        let image = ImageReference::new(&format!("shop/web:v{digit}@{}", digest(digit))).unwrap();
        let release = Release {
            version: Version::new(1, 0, 0),
            tag: TagName::new("v1.0.0").unwrap(),
            artifact: Artifact::Image(image),
        };
        let written = Written([(Part::Tag, format!("v{digit}"))].into());
        Staged { release, written, stand: Stand::Held }
    }

    fn view(live: Side, image: &str) -> View {
        let slots = [(Side::Main, staged('1')), (Side::Hotfix, staged('2'))].into();
        let marks = Marks { live, container: "web".to_owned(), slots };
        let containers = json!([{"name": "web", "image": image}]);
        View::of(marks, &json!({"spec": {"replicas": 3, "template": {"spec": {"containers": containers}}}}))
    }

    fn pod(image: &str, digest: Option<&str>) -> Pod {
        let id = digest.map(|digest| format!("host/shop/web@{digest}")).unwrap_or_default();
        Pod::read(&json!({
            "spec": {"containers": [{"name": "log", "image": "log:v2"}, {"name": "web", "image": image}]},
            "status": {"containerStatuses": [{"name": "web", "imageID": id}]},
        }))
    }

    #[test]
    fn a_slot_s_pods_run_its_image_and_where_that_is_a_tag_its_digest() {
        let view = view(Side::Main, "shop/web:v2");
        let (one, two) = (digest('1'), digest('2'));
        let pods = [
            (pod("shop/web:v1", Some(&one)), [true, false]),
            (pod("shop/web:v2", Some(&two)), [false, true]),
            (pod("shop/web:v2", None), [false, true]),
            // The tag was moved.
            (pod("shop/web:v2", Some(&one)), [false, false]),
            (pod("shop/web:v3", None), [false, false]),
        ];
        for (pod, is_in) in pods {
            assert_eq!(Side::BOTH.map(|side| view.runs(side).is_in(&pod)), is_in, "{pod:?}");
        }
    }

    #[test]
    fn what_somebody_else_deployed_is_what_the_live_slot_runs() {
        for live in Side::BOTH {
            let view = view(live, "shop/web:v3");
            assert_eq!(view.staged(live), None);
            assert!(view.staged(live.other()).is_some());
            assert!(view.runs(live).is_in(&pod("shop/web:v3", None)));
            assert!(!view.runs(live).is_in(&pod("shop/web:v1", None)));
        }
    }

    #[test]
    fn what_the_controller_says_is_about_the_slot_of_the_template() {
        let conditions = json!([{"type": "ReplicaFailure", "status": "True", "reason": "quota"}]);
        let object = json!({"metadata": {"name": "shop"}, "status": {"conditions": conditions}});
        let view = view(Side::Main, "shop/web:v2");
        let faults = Side::BOTH.map(|side| view.facts(side, &object).faults.len());
        assert_eq!(faults, [0, 1]);
        assert_eq!(Side::BOTH.map(|side| view.facts(side, &object).replicas), [3, 3]);
    }
}
