//! The reference check keeps the contract of its port, and so does one behind a wrapper.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::ErrorKind;
use hotfix_core::memory::MemoryCheck;
use hotfix_core::model::{Artifact, Fault, ObjectId, Target};
use hotfix_core::port::{Check, CheckScope, CheckSubject};
use hotfix_testkit::conformance::check::{self, CheckFixture, CheckSite};
use hotfix_testkit::fault::{Faults, FaultyCheck, Mishap, Operation};
use tokio::sync::Mutex;

struct Fixture {
    memory: Mutex<Option<MemoryCheck>>,
    wrap: fn(Arc<dyn Check>) -> Arc<dyn Check>,
}

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

#[async_trait]
impl CheckFixture for Fixture {
    async fn site(&self) -> CheckSite {
        let memory = MemoryCheck::new("smoke", target("production/shop"), CheckScope::Slot);
        *self.memory.lock().await = Some(memory.clone());
        let tree = Artifact::Tree(ObjectId::new("1".repeat(40)).unwrap());
        CheckSite {
            check: (self.wrap)(Arc::new(memory)),
            subject: CheckSubject {
                target: target("production/shop"),
                slot: "green".parse().unwrap(),
                artifact: tree.id(),
            },
            other: Some(target("staging/shop")),
        }
    }

    async fn break_down(&self, site: &CheckSite) {
        let memory = self.memory.lock().await.clone().unwrap();
        let fault = Fault::ReadinessLost { instance: "green-1".into(), reason: "smoke: status 503".into() };
        memory.find(&site.subject.artifact, fault);
    }
}

#[tokio::test]
async fn the_reference_check_keeps_every_case() {
    check::all(&Fixture { memory: Mutex::default(), wrap: |inner| inner }).await;
    let wrap = |inner| Arc::new(FaultyCheck::new(inner, Faults::none())) as Arc<dyn Check>;
    check::all(&Fixture { memory: Mutex::default(), wrap }).await;
}

#[tokio::test]
async fn a_look_whose_answer_is_lost_is_no_pass() {
    let fixture = Fixture { memory: Mutex::default(), wrap: |inner| inner };
    let site = fixture.site().await;
    let faults = Faults::none();
    faults.add(Operation::Look, Mishap::ReplyLost);
    let check = FaultyCheck::new(Arc::clone(&site.check), faults);
    let error = check.look(&site.subject).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
    assert!(check.look(&site.subject).await.unwrap().faults.is_empty());
    assert_eq!(fixture.memory.lock().await.clone().unwrap().asked().len(), 2);
}
