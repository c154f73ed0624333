//! The machine in small worlds, the seeded faults, a few hundred walks, and the laws of `step` itself.

mod half_way;
mod interrupted;
mod proof;
mod refusals;
mod total;
