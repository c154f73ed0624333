//! The tests of hotfix-k8s, on a real control plane.

mod adopt;
mod conformance;
mod faults;
mod fence;
mod restore;
mod site;
mod traffic;
mod watch;
