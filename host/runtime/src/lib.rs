//! The engine, admission and calls: what a plugin may import, and how the host runs it and commits what it asks for.
//!
//! [`admit`] turns a component and its grants into a plugin that can be called. [`capabilities`] has one file for each
//! interface that a plugin may import, and the table of them. [`call`] runs a plugin and commits what it asked for.

#![deny(missing_docs)]

pub mod admit;
mod audit_log;
pub mod bell;
pub mod cache;
pub mod call;
pub mod capabilities;
pub mod compile;
pub mod engine;
pub mod profile;
pub mod roster;
mod runtime;
pub mod surroundings;
pub mod values;

pub use call::error::{CallError, Failure};
pub use runtime::{Runtime, Settings};
