//! Postings.

use hotfix_core::model::{Fact, IncidentId, Message, Part, Phase, RunId, Tone};
use hotfix_core::port::{Delivered, Posting, PostingKind, ThreadKey};

pub(crate) const CHANNEL: &str = "C024BE91L";

pub(crate) fn message() -> Message {
    Message {
        tone: Tone::Bad,
        phase: Phase::RollingBack,
        title: vec![
            Part::Ours("Taking back ".into()),
            Part::Foreign("v2.1.1 <!channel> R&D".into()),
        ],
        body: vec![
            Part::Ours("The canary failed its check.\n".into()),
            Part::Foreign("*Revert* <https://evil.example|this> with password=hunter2".into()),
        ],
        facts: vec![
            Fact {
                label: "Verdict".into(),
                value: "fail: 41 of 200 requests".into(),
            },
            Fact {
                label: "error_budget".into(),
                value: "<@U024BE7LH>".into(),
            },
        ],
    }
}

pub(crate) fn posting(kind: PostingKind) -> Posting {
    let root = Delivered {
        channel: CHANNEL.into(),
        id: "1503435956.000247".into(),
    };
    Posting {
        dedup: "run-1/7/slack".into(),
        thread: ThreadKey {
            incident: IncidentId::new("inc-7").unwrap(),
            run: RunId::new("run-1").unwrap(),
        },
        kind,
        message: message(),
        root: (kind != PostingKind::Root).then_some(root),
    }
}
