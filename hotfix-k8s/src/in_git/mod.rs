//! Deployments whose image is written in git: a GitOps controller, their owner, applies the file, and what is live is
//! changed by a commit alone.
//!
//! Both slots are the same Deployment, told apart by the image that its pods run, because nothing of ours may be in a
//! template that git describes. An annotation, which owners leave alone, says what each slot holds and has the fence of
//! the object; the file says which of the two is to run. What an owner applies later than the write carries no stamp, so
//! the fence that keeps a late write out is the one of the repository: a commit is pushed together with its stamp.

mod adopt;
mod apply;
mod kept;
mod marks;
mod next;
mod owners;
mod place;
mod repository;
mod settings;
mod sight;
mod view;
mod written;
mod yaml;

pub(crate) use apply::Attempt;
pub(crate) use marks::Marks;
pub(crate) use next::Refused;
pub(crate) use place::Unwritable;
pub(crate) use view::View;
pub(crate) use written::Written;
