//! The pure part of hotfix.
