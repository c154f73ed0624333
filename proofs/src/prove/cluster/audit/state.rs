//! The objects of a target as they are when a run has ended.

use serde_json::{Map, Value};

use crate::prove::audit::Findings;

/// What should be there.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Wanted<'a> {
    /// The objects as they were before anybody deployed. Everything in them stays but what is live.
    pub(in super::super) before: &'a Value,
    /// What is live where the team's own workload is; `None`: what was live before.
    pub(in super::super) image: Option<&'a str>,
}

/// Where the image is.
const IMAGE: &str = "/template/spec/containers/0/image";

/// Whose labels and annotations come and go with what is live: ours, and those of the controllers.
const COME_AND_GO: [&str; 2] = ["hotfix.dev/", "deployment.kubernetes.io/"];

/// Checks that the release that is live is the one that should be, has all the traffic, and is whole; that the copy is
/// empty; and that everything else is as it was. The objects are those of [`Objects`](super::super::objects::Objects).
pub(in super::super) fn check_objects(objects: &Value, wanted: Wanted<'_>, findings: &mut Findings) {
    let [main, copy, route] = ["main", "copy", "route"].map(|name| &objects[name]);
    let before = wanted.before;
    let mut spec = before["main"]["spec"].clone();
    if let Some((live, image)) = spec.pointer_mut(IMAGE).zip(wanted.image) {
        *live = image.into();
    }
    let image = main["spec"].pointer(IMAGE);
    findings.check(image == spec.pointer(IMAGE), || {
        format!("shop runs {image:?}, not {:?}", spec.pointer(IMAGE))
    });
    // What was taken back is as it was to the letter; what is live says so itself.
    let (found, expected) = match wanted.image {
        None => (main["spec"].clone(), spec),
        Some(_) => (unmarked(main["spec"].clone()), unmarked(spec)),
    };
    findings.check(found == expected, || format!("shop is {found}, not {expected}"));
    findings.check(
        route["spec"] == before["route"]["spec"] || (wanted.image.is_some() && is_one(main, route)),
        || format!("the route is {}, it was {}", route["spec"], before["route"]["spec"]),
    );
    for name in ["main", "route"] {
        let [found, expected] = [objects, before].map(|all| kept(&all[name]["metadata"]));
        findings.check(found == expected, || format!("{name} is marked with {found:?}, it was {expected:?}"));
    }
    let live = &main["metadata"]["annotations"]["hotfix.dev/live"];
    findings.check(live.is_null() || live == "main", || format!("{live} is marked as live"));
    let replicas = &copy["spec"]["replicas"];
    findings.check(*replicas == before["copy"]["spec"]["replicas"], || {
        format!("the copy still wants {replicas} pods")
    });
    let all = &main["spec"]["replicas"];
    for (count, what) in [("readyReplicas", "ready"), ("updatedReplicas", "of its template")] {
        let found = &main["status"][count];
        findings.check(found == all, || format!("{found} of {all} pods of shop are {what}"));
    }
}

/// Whether both are the same object: where pods are replaced in place, there is no route.
fn is_one(main: &Value, route: &Value) -> bool {
    main["metadata"]["uid"].is_string() && main["metadata"]["uid"] == route["metadata"]["uid"]
}

/// A workload without what a release that was staged has of us.
fn unmarked(mut spec: Value) -> Value {
    for field in ["labels", "annotations"] {
        if let Some(marks) = spec["template"]["metadata"][field].as_object_mut() {
            marks.retain(|name, _| !comes_and_goes(name));
        }
    }
    spec
}

/// The labels and annotations that are others'.
fn kept(metadata: &Value) -> [Map<String, Value>; 2] {
    ["labels", "annotations"].map(|field| {
        let mut marks = metadata[field].as_object().cloned().unwrap_or_default();
        marks.retain(|name, _| !comes_and_goes(name));
        marks
    })
}

fn comes_and_goes(name: &str) -> bool {
    COME_AND_GO.iter().any(|prefix| name.starts_with(prefix))
}
