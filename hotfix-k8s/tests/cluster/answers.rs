//! What the API server can answer to a patch that it does not apply, each by its name: how it is classified, and that a seal
//! and a probe find out the rest.

use hotfix_core::model::{Period, Stamp};
use hotfix_core::port::{Ambiguity, Deployer, Probe, Rejection, Reply, Seal};
use hotfix_testkit::cluster::{Disturbance, FaultProxy, TestCluster};
use hotfix_testkit::http::Answer;
use tokio::sync::{Mutex, OnceCell};

use super::faults::{fills, stage_by, status};
use super::site::{Shop, call, deployer, slot};

/// One shop for all of them, one after the other. Nothing is ever applied to it.
static SHOP: OnceCell<Mutex<Tried>> = OnceCell::const_new();

struct Tried {
    shop: Shop,
    /// The last stamp that it has seen.
    seq: u32,
}

/// Returns what becomes of filling the slot when the server answers that and does nothing, and the name of what is
/// patched.
async fn answered(answer: Answer) -> (Reply, String) {
    let open = || async {
        let shop = Shop::open(TestCluster::shared().await.expect("a cluster")).await;
        Mutex::new(Tried { shop, seq: 0 })
    };
    let mut tried = SHOP.get_or_init(open).await.lock().await;
    let Tried { shop, seq } = &mut *tried;
    // Connections belong to the test that opened them.
    let proxy = FaultProxy::start(&shop.user).await.expect("a proxy");
    let deployer = deployer(&shop.namespace, &shop.target, proxy.through(&shop.user));
    proxy.next(fills, Disturbance::Instead(answer));
    let call = call(&format!("stage-{seq}"), *seq + 1);
    let reply = stage_by(&deployer, shop, &call).await;
    *seq += 2;
    let seal = deployer.seal(&shop.target, Stamp::new(1, *seq)).await;
    assert!(matches!(seal, Seal::Sealed(_)), "{seal:?}");
    assert_eq!(deployer.probe(&shop.target, &call.key).await, Probe::NotApplied);
    let workload = deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!(workload.slot(&slot("hotfix")), None);
    (reply, format!("Deployment {}/shop-hotfix", shop.namespace.name()))
}

fn busy(reason: &str, seconds: Option<u64>) -> Reply {
    let retry_after = seconds.map(Period::from_secs);
    Reply::Rejected(Rejection::Busy { reason: reason.to_owned(), retry_after })
}

fn permanent(reason: String) -> Reply {
    Reply::Rejected(Rejection::Permanent { reason })
}

fn unclear(answer: &str) -> Reply {
    Reply::Ambiguous(Ambiguity::Unclear { answer: answer.to_owned() })
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_with_a_time_is_busy_for_that_long() {
    let (reply, _) = answered(status(429, "TooManyRequests", "slow down").header("retry-after", "1")).await;
    assert_eq!(reply, busy("the API server is busy: HTTP 429 TooManyRequests: slow down", Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_without_a_time_is_busy() {
    let (reply, _) = answered(status(429, "", "")).await;
    assert_eq!(reply, busy("the API server is busy: HTTP 429", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_internal_error_is_ambiguous() {
    let (reply, _) = answered(status(500, "InternalError", "boom")).await;
    assert_eq!(reply, unclear("HTTP 500 InternalError: boom"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_internal_error_before_anything_was_executed_is_busy() {
    let (reply, _) = answered(status(500, "InternalError", "etcdserver: no leader")).await;
    assert_eq!(reply, busy("HTTP 500 InternalError: etcdserver: no leader", None));
}

/// Who is in between does not know what the server did, whatever it says.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_gateway_is_ambiguous() {
    let (reply, _) = answered(Answer::status(502)).await;
    assert_eq!(reply, unclear("HTTP 502"));
    let (reply, _) = answered(status(502, "", "etcdserver: no leader")).await;
    assert_eq!(reply, unclear("HTTP 502: etcdserver: no leader"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_server_is_ambiguous() {
    let (reply, _) = answered(Answer::status(503)).await;
    assert_eq!(reply, unclear("HTTP 503"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_server_that_executed_nothing_is_busy() {
    let (reply, _) = answered(status(503, "ServiceUnavailable", "etcdserver: too many requests")).await;
    assert_eq!(reply, busy("HTTP 503 ServiceUnavailable: etcdserver: too many requests", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_timeout_is_ambiguous() {
    let (reply, _) = answered(status(504, "Timeout", "too slow")).await;
    assert_eq!(reply, unclear("HTTP 504 Timeout: too slow"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forbidden_is_refused_for_good() {
    let (reply, name) = answered(status(403, "Forbidden", "no")).await;
    assert_eq!(reply, permanent(format!("{name} may not be changed: HTTP 403 Forbidden: no")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_refused_for_good() {
    let (reply, name) = answered(status(404, "NotFound", "gone")).await;
    let expected = format!("{name} does not exist; create it or correct the configuration");
    assert_eq!(reply, permanent(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_the_servers_is_ambiguous() {
    let (reply, _) = answered(Answer::status(200).text("<html>")).await;
    assert_eq!(reply, unclear("200 without JSON"));
}
