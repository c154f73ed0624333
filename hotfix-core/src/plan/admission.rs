//! Whether the people's side of a deploy is in order: approvals, freeze windows, minimal change, skipping staging.

use std::collections::BTreeSet;

use super::safety::{Facts, Refusals};
use super::{Finding, IgnoredApproval, Refusal, StagingSkipped, WhyIgnored, Yields};
use crate::observe;
use crate::policy::{ApprovalRule, Rule, SeverityRules};
use crate::port::DiffSize;
use crate::request::{Goal, Staging};

impl<'a> Facts<'a> {
    fn rules(&self) -> &'a SeverityRules {
        self.policy.severities.of(self.request.severity)
    }

    fn yields(&self, rule: Rule) -> Yields {
        if self.rules().yields.contains(&rule) { Yields::ToReason } else { Yields::Never }
    }

    /// Returns the reason to which a rule yields here.
    fn break_glass(&self, rule: Rule) -> Option<Finding> {
        let reason = self.request.break_glass.as_ref().filter(|reason| !reason.trim().is_empty())?;
        (self.yields(rule) == Yields::ToReason).then(|| Finding::BreakGlass { rule, reason: reason.clone() })
    }

    /// Refuses without the approvals that the severity asks for.
    pub(super) fn approved(&self, findings: &mut Vec<Finding>, refusals: &mut Refusals) {
        let severity = self.request.severity;
        let (needed, review_within) = match self.rules().approvals {
            ApprovalRule::Normal => return findings.push(Finding::NormalReview { severity }),
            ApprovalRule::Needed { count } => (count, None),
            ApprovalRule::Waived { review_within } => (1, Some(review_within)),
        };
        let (have, ignored) = self.count_approvals();
        if have.len() >= usize::from(needed) {
            return findings.push(Finding::Approved { by: have, needed });
        }
        let waiver = review_within.and_then(|within| Some((within, self.break_glass(Rule::Approvals)?)));
        if let Some((within, finding)) = waiver {
            let due = self.snapshot.taken_at + within.to_delta();
            findings.extend([finding, Finding::ReviewDue { due }]);
            return;
        }
        refusals.add(Refusal::ApprovalsMissing {
            severity,
            needed,
            have,
            ignored,
            requested_by: self.request.requested_by.clone(),
            yields: review_within.map_or(Yields::Never, |_| self.yields(Rule::Approvals)),
        });
    }

    fn count_approvals(&self) -> (Vec<String>, Vec<IgnoredApproval>) {
        let name = |text: &str| text.trim().to_lowercase();
        let requester = name(&self.request.requested_by);
        let (mut seen, mut have, mut ignored) = (BTreeSet::new(), Vec::new(), Vec::new());
        for approval in &self.request.approvals {
            let who = name(&approval.by);
            let ends = approval.at.checked_add_signed(self.policy.approvals_last.to_delta());
            let because = match ends {
                _ if who.is_empty() => Some(WhyIgnored::Nameless),
                _ if who == requester => Some(WhyIgnored::Requester),
                _ if approval.at > self.snapshot.taken_at => Some(WhyIgnored::Future),
                Some(at) if at <= self.snapshot.taken_at => Some(WhyIgnored::Expired { at }),
                _ if !seen.insert(who) => Some(WhyIgnored::Twice),
                _ => None,
            };
            match because {
                None => have.push(approval.by.clone()),
                Some(because) => ignored.push(IgnoredApproval { by: approval.by.clone(), because }),
            }
        }
        (have, ignored)
    }

    /// Refuses in a freeze window.
    pub(super) fn not_frozen(&self, findings: &mut Vec<Finding>, refusals: &mut Refusals) {
        let severity = self.request.severity;
        let holds =
            |window: &&crate::policy::FreezeWindow| window.holds_back(severity, self.snapshot.taken_at);
        let Some(window) = self.policy.freeze.iter().find(holds) else {
            return;
        };
        match self.break_glass(Rule::Freeze) {
            Some(finding) => findings.push(finding),
            None => refusals.add(Refusal::Frozen {
                severity,
                until: window.until,
                reason: window.reason.clone(),
                yields: self.yields(Rule::Freeze),
            }),
        }
    }

    /// Refuses a fix that is too large or touches what it should not.
    pub(super) fn minimal(&self, diff: &DiffSize, findings: &mut Vec<Finding>, refusals: &mut Refusals) {
        let breaches = self.policy.minimal_change.breaches(diff);
        if breaches.is_empty() {
            return;
        }
        if let Some(finding) = self.break_glass(Rule::MinimalChange) {
            return findings.push(finding);
        }
        for breach in breaches {
            refusals.add(Refusal::NotMinimal { breach, yields: self.yields(Rule::MinimalChange) });
        }
    }

    /// Refuses to skip staging where the policy does not let it.
    pub(super) fn staging_skippable(&self, findings: &mut Vec<Finding>, refusals: &mut Refusals) {
        if observe::staging(self.request, self.policy).is_some() {
            return;
        }
        if self.policy.environments.staging.is_none() {
            return findings.push(Finding::StagingSkipped { because: StagingSkipped::NoEnvironment });
        }
        if !matches!(self.request.goal, Goal::Deploy { staging: Staging::Skip, .. }) {
            return;
        }
        match self.break_glass(Rule::StagingFirst) {
            Some(finding) => {
                findings.extend([Finding::StagingSkipped { because: StagingSkipped::Requested }, finding]);
            }
            None => refusals.add(Refusal::StagingNotSkippable {
                severity: self.request.severity,
                yields: self.yields(Rule::StagingFirst),
            }),
        }
    }
}
