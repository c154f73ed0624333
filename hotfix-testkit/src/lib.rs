//! Tools for testing backends of hotfix.

pub mod conformance;
pub mod http;
