//! The engine on the reference backends, in simulated time.

mod after_success;
mod alertmanager;
mod cancel;
mod checks;
mod faulty_store;
mod gates;
mod hasten;
mod instances;
mod journal;
mod many;
mod messages;
mod runs;
mod silences;
mod takeover;
mod targets;
mod world;
