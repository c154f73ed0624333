//! The reference silencer keeps the contract of its port, and so does one behind a wrapper.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::ErrorKind;
use hotfix_core::memory::{ManualClock, MemorySilencer};
use hotfix_core::model::{Period, Target, Timestamp};
use hotfix_core::port::{Clock, Silence, Silencer};
use hotfix_testkit::conformance::silencer::{self, SilencerFixture, SilencerSite};
use hotfix_testkit::fault::{Faults, FaultySilencer, Mishap, Operation};
use tokio::sync::Mutex;

struct Fixture {
    memory: Mutex<Option<MemorySilencer>>,
    wrap: fn(Arc<dyn Silencer>) -> Arc<dyn Silencer>,
}

#[async_trait]
impl SilencerFixture for Fixture {
    async fn site(&self) -> SilencerSite {
        let clock = ManualClock::default();
        let memory = MemorySilencer::new("memory", Arc::new(clock.clone()));
        *self.memory.lock().await = Some(memory.clone());
        let silencer = || (self.wrap)(Arc::new(memory.clone()));
        SilencerSite { silencer: silencer(), second: silencer(), now: clock.now() }
    }

    async fn lasting(&self, _: &SilencerSite, target: &Target) -> Vec<Timestamp> {
        let memory = self.memory.lock().await.clone().unwrap();
        memory.active(target).into_iter().map(|silence| silence.until).collect()
    }
}

#[tokio::test]
async fn the_reference_silencer_keeps_every_case() {
    silencer::all(&Fixture { memory: Mutex::default(), wrap: |inner| inner }).await;
    let wrap = |inner| Arc::new(FaultySilencer::new(inner, Faults::none())) as Arc<dyn Silencer>;
    silencer::all(&Fixture { memory: Mutex::default(), wrap }).await;
}

#[tokio::test]
async fn a_silence_whose_answer_is_lost_may_be_there_and_is_lifted() {
    let clock = ManualClock::default();
    let memory = MemorySilencer::new("memory", Arc::new(clock.clone()));
    let faults = Faults::none();
    let silencer = FaultySilencer::new(Arc::new(memory.clone()), faults.clone());
    let (run, target): (_, Target) = ("run-1".parse().unwrap(), "production/shop".parse().unwrap());
    let until = clock.now() + Period::from_mins(10).to_delta();
    let silence = Silence { run, target: target.clone(), until };
    faults.add(Operation::Silence, Mishap::ReplyLost);
    assert_eq!(silencer.silence(&silence).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(memory.active(&target), std::slice::from_ref(&silence));
    faults.add(Operation::Lift, Mishap::RequestLost);
    assert_eq!(silencer.lift(&silence).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(memory.active(&target), std::slice::from_ref(&silence));
    silencer.lift(&silence).await.unwrap();
    assert_eq!(memory.active(&target), []);
    silencer.silence(&silence).await.unwrap();
    clock.advance(Period::from_mins(10));
    assert_eq!(memory.active(&target), [], "it ends by itself");
}
