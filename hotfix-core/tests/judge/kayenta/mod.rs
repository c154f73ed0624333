//! The Kayenta-compatible judge, against implementations by others.

mod samples;
