//! The planner: policy, observation, plans, refusals, and the checker's second opinion.

mod cases;
mod checker;
mod golden;
mod observation;
mod policy;
mod properties;
mod refusals;
mod reverts;
mod shares;
mod world;
