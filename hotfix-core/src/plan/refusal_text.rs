//! The parts of a refusal that depend on its values, in words.

use std::fmt;

use super::refusal::{IgnoredApproval, WhyIgnored, Yields};
use super::wording::{Conflicts, Listed};
use crate::model::{Fault, Release};
use crate::policy::Rule;
use crate::port::ConflictPath;
use crate::request::RollbackTo;

pub(super) fn mend(yields: Yields, rule: Rule) -> String {
    match yields {
        Yields::ToReason => "give a reason (break-glass) if this is an emergency".to_owned(),
        Yields::Never => format!("the policy does not let \"{rule}\" yield at this severity"),
    }
}

pub(super) const fn collect(yields: Yields) -> &'static str {
    match yields {
        Yields::ToReason => "; collect them, or give a reason (break-glass)",
        Yields::Never => "; collect them",
    }
}

pub(super) struct ConflictsIn<'a>(pub(super) &'a [ConflictPath]);

impl fmt::Display for ConflictsIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, " (the fix conflicts with it in {})", Conflicts(self.0))
        }
    }
}

pub(super) struct Also<'a>(pub(super) &'a [Fault]);

impl fmt::Display for Also<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ", {}", Listed(self.0)) }
    }
}

pub(super) struct IgnoredList<'a>(pub(super) &'a [IgnoredApproval]);

impl fmt::Display for IgnoredList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, IgnoredApproval { by, because }) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { " (not counted: " } else { ", " })?;
            match because {
                WhyIgnored::Expired { at } => write!(f, "{by:?} expired at {at}")?,
                WhyIgnored::Future => write!(f, "{by:?} is dated in the future")?,
                WhyIgnored::Requester => write!(f, "{by:?} asks for it")?,
                WhyIgnored::Twice => write!(f, "{by:?} agreed twice")?,
                WhyIgnored::Nameless => f.write_str("one names nobody")?,
            }
        }
        f.write_str(if self.0.is_empty() { "" } else { ")" })
    }
}

pub(super) struct Wanted<'a>(pub(super) &'a RollbackTo);

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            RollbackTo::LastKnownGood => f.write_str("a release other than the live one"),
            RollbackTo::Version(version) => write!(f, "version {version}"),
            RollbackTo::Artifact(artifact) => write!(f, "{artifact}"),
        }
    }
}

pub(super) struct Proven<'a>(pub(super) &'a [Release]);

impl fmt::Display for Proven<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("none") } else { Listed(self.0).fmt(f) }
    }
}
