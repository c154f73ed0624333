//! The long proofs of hotfix: whole runs on real processes, real repositories and a real store, killed at every point.

pub mod prove;
