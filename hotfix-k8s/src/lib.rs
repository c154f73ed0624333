#![doc = include_str!("../README.md")]
#![expect(dead_code, reason = "the parts of this crate land one after the other")]

mod object;
mod slot;
mod traffic;
