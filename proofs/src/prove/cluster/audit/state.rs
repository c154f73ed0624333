//! The objects of a target as they are when a run has ended.

use serde_json::Value;

use super::traffic::shares;
use crate::prove::audit::Findings;

/// What should be live.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Wanted<'a> {
    /// Everything as it was before: the same template, the same size, the same route.
    AsBefore(&'a Value),
    /// This image, where the team's own Deployment is.
    Image(&'a str),
}

/// Checks that the release that is live is the one that should be, has all the traffic, and is whole; and that the copy
/// is empty. The objects are those of [`Objects`](super::super::objects::Objects).
pub(in super::super) fn check_objects(objects: &Value, wanted: Wanted<'_>, findings: &mut Findings) {
    let [main, copy, route] = ["main", "copy", "route"].map(|name| &objects[name]);
    match wanted {
        Wanted::AsBefore(before) => {
            findings.check(main["spec"] == before["main"]["spec"], || {
                format!("shop is {}, it was {}", main["spec"], before["main"]["spec"])
            });
            findings.check(route["spec"] == before["route"]["spec"], || {
                format!("the route is {}, it was {}", route["spec"], before["route"]["spec"])
            });
        }
        Wanted::Image(image) => {
            let found = &main["spec"]["template"]["spec"]["containers"][0]["image"];
            findings.check(found == image, || format!("shop runs {found}, not {image}"));
        }
    }
    let live = &main["metadata"]["annotations"]["hotfix.dev/live"];
    findings.check(live.is_null() || live == "main", || format!("{live} is marked as live"));
    let shares = shares(route);
    let all = shares.iter().all(|(side, share)| *share == if side == "shop" { 100 } else { 0 });
    findings.check(all && !shares.is_empty(), || format!("the traffic goes to {shares:?}"));
    let replicas = &copy["spec"]["replicas"];
    findings.check(replicas == 0, || format!("the copy still wants {replicas} pods"));
    let (ready, all) = (&main["status"]["readyReplicas"], &main["spec"]["replicas"]);
    findings.check(ready == all, || format!("{ready} of {all} pods of shop are ready"));
}
