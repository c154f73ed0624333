//! Tools for testing backends of hotfix.

pub mod clock;
pub mod conformance;
pub mod fault;
pub mod http;
