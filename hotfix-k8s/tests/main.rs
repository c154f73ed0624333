//! The tests of hotfix-k8s, on a real control plane.

mod cluster;
