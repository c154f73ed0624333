//! A Deployment whose image is written in git, with a real repository and an owner that applies it.

mod applier;
mod contract;
mod fenced;
mod form;
mod forms;
mod repository;
mod runs;
mod shop;
mod verbs;
