//! Tools for testing backends of hotfix: a scripted HTTP server.

pub mod http;
