//! The engine on the reference backends, in simulated time.

mod runs;
mod world;
