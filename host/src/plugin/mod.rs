//! What a plugin is, from file to something that can be called: its manifest, the operator's grants, its admission.
//! Three phases, each with its own errors: link once per engine, admit a plugin, call it.

pub mod admit;
pub mod cache;
pub mod compile;
pub mod roster;

pub use keyturn_package::{docs, grants, limits, manifest, pack};
