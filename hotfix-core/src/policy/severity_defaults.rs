//! The severity table as it comes, and how a table that sets only some cells is read on top of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer};

use super::or_none::OrNone;
use super::severity::{ApprovalRule, Audience, Review, Rule, SeverityRules, SeverityTable};
use crate::model::{Period, Severity};
use crate::request::Strategy;

const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;

impl Default for SeverityTable {
    fn default() -> Self {
        Self {
            p0: SeverityRules::new(Severity::P0),
            p1: SeverityRules::new(Severity::P1),
            p2: SeverityRules::new(Severity::P2),
            p3: SeverityRules::new(Severity::P3),
        }
    }
}

impl SeverityRules {
    /// Returns the rules of a severity as they come.
    #[must_use]
    pub fn new(severity: Severity) -> Self {
        match severity {
            Severity::P0 => outage(),
            Severity::P1 => degraded(),
            Severity::P2 => workaround(),
            Severity::P3 => cosmetic(),
        }
    }
}

fn outage() -> SeverityRules {
    SeverityRules {
        meaning: "all or most users down, data loss, security".to_owned(),
        acknowledge_within: minutes(5),
        deploy_within: minutes(2 * HOUR),
        page: BTreeSet::from([
            Audience::Primary,
            Audience::Commander,
            Audience::Communications,
            Audience::Executives,
        ]),
        escalate_after: [5, 10, 15].map(minutes).to_vec(),
        first_post_within: minutes(5),
        first_public_post_within: Some(minutes(5)),
        update_every: minutes(15),
        public_update_every: Some(minutes(20)),
        approvals: ApprovalRule::Waived { review_within: minutes(DAY) },
        review: Review::Mandatory { draft_within: minutes(DAY), due_within: minutes(2 * DAY) },
        actions_within: Some(minutes(28 * DAY)),
        strategy: Strategy::Canary,
        yields: BTreeSet::from([Rule::StagingFirst, Rule::MinimalChange, Rule::Freeze, Rule::Approvals]),
    }
}

fn degraded() -> SeverityRules {
    SeverityRules {
        meaning: "many users degraded".to_owned(),
        acknowledge_within: minutes(15),
        deploy_within: minutes(4 * HOUR),
        page: BTreeSet::from([Audience::Primary, Audience::Commander]),
        escalate_after: [5, 15, 30].map(minutes).to_vec(),
        first_post_within: minutes(15),
        first_public_post_within: Some(minutes(15)),
        update_every: minutes(30),
        public_update_every: Some(minutes(30)),
        approvals: ApprovalRule::Needed { count: 1 },
        review: Review::Mandatory { draft_within: minutes(2 * DAY), due_within: minutes(3 * DAY) },
        actions_within: Some(minutes(56 * DAY)),
        strategy: Strategy::Canary,
        yields: BTreeSet::from([Rule::MinimalChange, Rule::Freeze]),
    }
}

fn workaround() -> SeverityRules {
    SeverityRules {
        meaning: "few users, or a workaround exists".to_owned(),
        acknowledge_within: minutes(HOUR),
        deploy_within: minutes(DAY),
        page: BTreeSet::from([Audience::Primary]),
        escalate_after: vec![minutes(HOUR)],
        first_post_within: minutes(HOUR),
        first_public_post_within: None,
        update_every: minutes(2 * HOUR),
        public_update_every: None,
        approvals: ApprovalRule::Needed { count: 2 },
        review: Review::Optional { due_within: minutes(5 * DAY) },
        actions_within: None,
        strategy: Strategy::Canary,
        yields: BTreeSet::new(),
    }
}

fn cosmetic() -> SeverityRules {
    SeverityRules {
        meaning: "cosmetic or internal".to_owned(),
        acknowledge_within: minutes(DAY),
        deploy_within: minutes(2 * DAY),
        page: BTreeSet::new(),
        escalate_after: Vec::new(),
        first_post_within: minutes(DAY),
        first_public_post_within: None,
        update_every: minutes(DAY),
        public_update_every: None,
        approvals: ApprovalRule::Normal,
        review: Review::None,
        actions_within: None,
        strategy: Strategy::Rolling,
        yields: BTreeSet::new(),
    }
}

const fn minutes(count: u64) -> Period {
    Period::from_mins(count)
}

/// A row in which every cell may be left out.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Cells {
    meaning: Option<String>,
    acknowledge_within: Option<Period>,
    deploy_within: Option<Period>,
    page: Option<BTreeSet<Audience>>,
    escalate_after: Option<Vec<Period>>,
    first_post_within: Option<Period>,
    first_public_post_within: Option<OrNone<Period>>,
    update_every: Option<Period>,
    public_update_every: Option<OrNone<Period>>,
    approvals: Option<ApprovalRule>,
    review: Option<Review>,
    actions_within: Option<OrNone<Period>>,
    strategy: Option<Strategy>,
    yields: Option<BTreeSet<Rule>>,
}

impl Cells {
    fn over(self, base: SeverityRules) -> SeverityRules {
        SeverityRules {
            meaning: self.meaning.unwrap_or(base.meaning),
            acknowledge_within: self.acknowledge_within.unwrap_or(base.acknowledge_within),
            deploy_within: self.deploy_within.unwrap_or(base.deploy_within),
            page: self.page.unwrap_or(base.page),
            escalate_after: self.escalate_after.unwrap_or(base.escalate_after),
            first_post_within: self.first_post_within.unwrap_or(base.first_post_within),
            first_public_post_within: self
                .first_public_post_within
                .map_or(base.first_public_post_within, |cell| cell.0),
            update_every: self.update_every.unwrap_or(base.update_every),
            public_update_every: self.public_update_every.map_or(base.public_update_every, |cell| cell.0),
            approvals: self.approvals.unwrap_or(base.approvals),
            review: self.review.unwrap_or(base.review),
            actions_within: self.actions_within.map_or(base.actions_within, |cell| cell.0),
            strategy: self.strategy.unwrap_or(base.strategy),
            yields: self.yields.unwrap_or(base.yields),
        }
    }
}

fn row<'de, D: Deserializer<'de>>(severity: Severity, from: D) -> Result<SeverityRules, D::Error> {
    Ok(Cells::deserialize(from)?.over(SeverityRules::new(severity)))
}

pub(super) fn p0<'de, D: Deserializer<'de>>(from: D) -> Result<SeverityRules, D::Error> {
    row(Severity::P0, from)
}

pub(super) fn p1<'de, D: Deserializer<'de>>(from: D) -> Result<SeverityRules, D::Error> {
    row(Severity::P1, from)
}

pub(super) fn p2<'de, D: Deserializer<'de>>(from: D) -> Result<SeverityRules, D::Error> {
    row(Severity::P2, from)
}

pub(super) fn p3<'de, D: Deserializer<'de>>(from: D) -> Result<SeverityRules, D::Error> {
    row(Severity::P3, from)
}
