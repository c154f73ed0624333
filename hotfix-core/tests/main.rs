//! Integration tests of hotfix-core, in one binary.

mod architecture;
mod judge;
