use super::super::note::Stage;
use super::*;

fn claimant(holder: &str) -> Claimant {
    Claimant { holder: holder.to_owned(), lasts: LeaseTerm::of(Period::from_secs(15)), note: None }
}

fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn later(from: Instant, seconds: u64) -> Instant {
    from + Duration::from_secs(seconds)
}

fn patched(lease: &Value, patch: &[PatchOperation]) -> Result<Value, json_patch::PatchError> {
    let mut after = lease.clone();
    json_patch::patch(&mut after, patch).map(|()| after)
}

fn held(holder: &str, epoch: u64, expires: Instant) -> Standing {
    Standing::Held(Hold { holder: holder.to_owned(), epoch, expires })
}

#[test]
fn a_claim_is_renewed_and_given_back_by_patches_that_test_the_whole_mark() {
    let (a, start) = (claimant("a"), Instant::now());
    let (lease, tenure) = a.create(("prod", "shop"), 1, noon(), start);
    assert_eq!((tenure.epoch, tenure.until), (1, later(start, 15)));
    assert_eq!(lease["metadata"]["annotations"][ANNOTATION], r#"{"epoch":1,"beat":0}"#);

    let (patch, renewed) = a.renew(&tenure, noon(), later(start, 5));
    let golden = json!([
        {"op": "test", "path": "/metadata/annotations/hotfix.dev~1lease", "value": r#"{"epoch":1,"beat":0}"#},
        {"op": "replace", "path": "/metadata/annotations/hotfix.dev~1lease", "value": r#"{"epoch":1,"beat":1}"#},
        {"op": "add", "path": "/spec/renewTime", "value": "2026-11-21T12:00:00.000000Z"},
    ]);
    assert_eq!(serde_json::to_value(&patch).unwrap(), golden);
    assert_eq!((renewed.epoch, renewed.until), (1, later(start, 20)));
    let lease = patched(&lease, &patch).unwrap();
    assert!(patched(&lease, &a.renew(&tenure, noon(), start).0).is_err());

    let lease = patched(&lease, &a.release(&renewed)).unwrap();
    assert_eq!(lease["spec"].get("holderIdentity"), None);
    assert_eq!(Watcher::default().see(&lease, start), Ok(Standing::Free));
    let (patch, next) = claimant("b").acquire(&lease, 0, noon(), start).unwrap();
    let lease = patched(&lease, &patch).unwrap();
    assert_eq!((next.epoch, &lease["spec"]["leaseTransitions"]), (2, &json!(1)));
}

#[test]
fn a_lease_has_expired_when_nothing_was_seen_to_change_for_as_long_as_it_lasts() {
    let (a, start, mut watcher) = (claimant("a"), Instant::now(), Watcher::default());
    let (mut lease, tenure) = a.create(("prod", "shop"), 1, noon(), start);
    // The times in the object are a day old, or a day ahead: nobody looks at them.
    lease["spec"]["renewTime"] = json!("2026-11-22T12:00:00.000000Z");
    assert_eq!(watcher.see(&lease, start), Ok(held("a", 1, later(start, 15))));
    assert_eq!(watcher.see(&lease, later(start, 14)), Ok(held("a", 1, later(start, 15))));
    let (patch, tenure) = a.renew(&tenure, noon(), later(start, 14));
    let renewed = patched(&lease, &patch).unwrap();
    assert_eq!(watcher.see(&renewed, later(start, 16)), Ok(held("a", 1, later(start, 31))));
    assert!(tenure.until < later(start, 31), "who holds it stops before another may begin");
    let hold = Hold { holder: "a".to_owned(), epoch: 1, expires: later(start, 31) };
    assert_eq!(watcher.see(&renewed, later(start, 31)), Ok(Standing::Expired(hold)));
    // Who has only just begun to watch knows nothing of how long it stood.
    assert_eq!(Watcher::default().see(&renewed, later(start, 31)), Ok(held("a", 1, later(start, 46))));
}

#[test]
fn of_two_who_take_over_one_succeeds_and_the_old_holder_cannot_renew() {
    let start = Instant::now();
    let (lease, old) = claimant("a").create(("prod", "shop"), 1, noon(), start);
    let (by_b, b) = claimant("b").acquire(&lease, 0, noon(), start).unwrap();
    let (by_c, _) = claimant("c").acquire(&lease, 0, noon(), start).unwrap();
    let lease = patched(&lease, &by_b).unwrap();
    assert_eq!((b.epoch, &lease["spec"]["holderIdentity"]), (2, &json!("b")));
    assert!(patched(&lease, &by_c).is_err());
    assert!(patched(&lease, &claimant("a").renew(&old, noon(), start).0).is_err());
    assert!(patched(&lease, &claimant("a").release(&old)).is_err());
    assert_eq!(claimant("a").still_holds(&lease, &old), None);
}

#[test]
fn a_renewal_whose_answer_was_lost_is_found_again() {
    let (a, start) = (claimant("a"), Instant::now());
    let (lease, tenure) = a.create(("prod", "shop"), 1, noon(), start);
    let lease = patched(&lease, &a.renew(&tenure, noon(), later(start, 5)).0).unwrap();
    let found = a.still_holds(&lease, &tenure).unwrap();
    assert_eq!((found.epoch, found.until), (1, tenure.until));
    assert!(patched(&lease, &a.renew(&found, noon(), later(start, 6)).0).is_ok());
    let same_name_later = patched(&lease, &a.acquire(&lease, 0, noon(), start).unwrap().0).unwrap();
    assert_eq!(a.still_holds(&same_name_later, &tenure), None);
}

#[test]
fn a_lease_of_others_is_left_alone() {
    let foreign = json!({"metadata": {}, "spec": {"holderIdentity": "kube-scheduler-1"}});
    let odd = json!({"metadata": {"annotations": {ANNOTATION: r#"{"epoch": 1, "beat": 0}"#}}});
    let cases = [
        (
            foreign,
            "the lease is held by kube-scheduler-1 without the annotation hotfix.dev/lease; name another lease",
        ),
        (
            odd,
            r#"the annotation hotfix.dev/lease is "{\"epoch\": 1, \"beat\": 0}"; remove the lease when nobody uses it"#,
        ),
    ];
    for (lease, expected) in cases {
        let refused = Watcher::default().see(&lease, Instant::now()).unwrap_err();
        assert_eq!(refused.to_string(), expected);
        assert_eq!(claimant("a").acquire(&lease, 0, noon(), Instant::now()).unwrap_err(), refused);
    }
}

#[test]
fn a_mark_that_nobody_can_count_beyond_is_unreadable() {
    let (top, max) = (i64::MAX.unsigned_abs(), u64::MAX);
    let cases = [
        (top - 1, 0, true),
        (1, top - 1, true),
        (top, 0, false),
        (1, top, false),
        (max, 0, false),
        (1, max, false),
    ];
    for (epoch, beat, readable) in cases {
        let text = format!(r#"{{"epoch":{epoch},"beat":{beat}}}"#);
        let lease = json!({
            "metadata": {"annotations": {ANNOTATION: text}},
            "spec": {"holderIdentity": "a", "leaseTransitions": i32::MAX},
        });
        let acquired = claimant("b").acquire(&lease, 0, noon(), Instant::now());
        if readable {
            let (patch, tenure) = acquired.unwrap();
            assert_eq!(tenure.epoch, epoch + 1);
            let after = patched(&lease, &patch).unwrap();
            assert_eq!(after["spec"]["leaseTransitions"], i32::MAX, "the server takes no more");
        } else {
            assert_eq!(acquired.unwrap_err(), NotOurs::Annotation { name: ANNOTATION, text });
        }
    }
}

#[test]
fn a_lease_that_nobody_holds_is_adopted() {
    let empty = json!({"metadata": {"name": "shop", "resourceVersion": "7"}});
    let (patch, tenure) = claimant("a").acquire(&empty, 0, noon(), Instant::now()).unwrap();
    let lease = patched(&empty, &patch).unwrap();
    assert_eq!((tenure.epoch, &lease["spec"]["holderIdentity"]), (1, &json!("a")));
    let touched = json!({"metadata": {"name": "shop", "resourceVersion": "8"}});
    assert!(patched(&touched, &patch).is_err());
}

#[test]
fn a_term_is_rounded_up_to_whole_seconds() {
    let seconds = |millis| LeaseTerm::of(Period::from_millis(millis)).duration().as_secs();
    assert_eq!([0, 1, 1000, 1001, 15_000].map(seconds), [1, 1, 1, 2, 15]);
}

#[test]
fn the_claim_of_a_run_is_written_beside_the_mark_and_read_back() {
    let (start, run) = (Instant::now(), RunId::new("run-1").unwrap());
    let claims = vec!["production/shop".parse().unwrap(), "source/shop".parse().unwrap()];
    let note = Note { run: run.clone(), claims, since: noon(), stage: Stage::Opening, released: None };
    let by_run = Claimant { note: Some(note), ..claimant("a") };
    let (lease, tenure) = by_run.create(("prod", "hotfix.production.shop"), 7, noon(), start);
    let golden = r#"{"run":"run-1","claims":["production/shop","source/shop"],"since":"2026-11-21T12:00:00Z","stage":"opening"}"#;
    assert_eq!(lease["metadata"]["annotations"][CLAIM], golden);
    let (found, as_found) = Claimant::of_run(&lease, &run, start).unwrap().unwrap();
    assert_eq!((&found, as_found.epoch), (&by_run, 7));
    assert_eq!(Claimant::of_run(&lease, &RunId::new("run-2").unwrap(), start), Ok(None));

    // Nobody was told the epoch yet, so it may still rise, but not past what the lease had.
    let driven = Claimant { note: found.note.map(|note| note.at(Stage::Driven)), ..by_run };
    let (patch, raised) = driven.renew_under(9, &tenure, noon(), start);
    let lease = patched(&lease, &patch).unwrap();
    assert_eq!((raised.epoch, epoch_of(&lease)), (9, 9));
    assert_eq!(Note::read(&lease).unwrap().unwrap().stage, Stage::Driven);
    let (_, next) = claimant("b").acquire(&lease, 40, noon(), start).unwrap();
    assert_eq!(next.epoch, 41);
}

mod cluster {
    use hotfix_testkit::cluster::TestCluster;
    use k8s_openapi::api::coordination::v1::Lease;
    use kube::Api;
    use kube::api::{Patch, PatchParams, PostParams};

    use super::*;

    /// The patches mean the same to a real API server.
    #[tokio::test]
    async fn a_real_server_lets_one_claimant_in_at_a_time() {
        let cluster = TestCluster::shared().await.unwrap();
        let namespace = cluster.namespace("lease").await.unwrap();
        let leases: Api<Lease> = Api::namespaced(cluster.client().unwrap(), &namespace);
        let (a, b, start) = (claimant("a"), claimant("b"), Instant::now());
        let (new, tenure) = a.create((&namespace, "shop"), 1, noon(), start);
        let new: Lease = serde_json::from_value(new).unwrap();
        leases.create(&PostParams::default(), &new).await.unwrap();
        let taken = leases.create(&PostParams::default(), &new).await.unwrap_err();
        assert!(matches!(&taken, kube::Error::Api(status) if status.code == 409), "{taken}");

        let send = async |patch: Vec<PatchOperation>| {
            let patch: Patch<()> = Patch::Json(json_patch::Patch(patch));
            let sent = leases.patch("shop", &PatchParams::default(), &patch).await;
            sent.map(|lease| serde_json::to_value(lease).unwrap()).map_err(|error| match error {
                kube::Error::Api(status) => status.code,
                other => panic!("{other}"),
            })
        };
        let (renewal, renewed) = a.renew(&tenure, noon(), start);
        let lease = send(renewal.clone()).await.unwrap();
        assert_eq!(send(renewal).await, Err(422));
        assert_eq!(a.still_holds(&lease, &tenure), Some(Tenure { until: tenure.until, ..renewed.clone() }));

        let (takeover, next) = b.acquire(&lease, 0, noon(), start).unwrap();
        send(takeover.clone()).await.unwrap();
        assert_eq!(send(takeover).await, Err(422));
        assert_eq!(send(a.release(&renewed)).await, Err(422));
        let lease = send(b.release(&next)).await.unwrap();
        assert_eq!(Watcher::default().see(&lease, start), Ok(Standing::Free));
        let (again, third) = a.acquire(&lease, 0, noon(), start).unwrap();
        let lease = send(again).await.unwrap();
        assert_eq!((third.epoch, &lease["spec"]["leaseTransitions"]), (3, &json!(2)));
    }
}
