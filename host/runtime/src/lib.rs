//! The engine, admission, and calls: what a plugin may import, and what becomes of what it asks for.
//!
//! [`admit`] makes a component and its grants a plugin that can be called; [`capabilities`] has one file for each interface
//! that it may import, and the table of them; [`call`] runs it and commits what it asked for.

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
