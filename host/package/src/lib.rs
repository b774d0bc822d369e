//! A plugin as files: its component, its manifest, the docs of its contract, and its operator's grants.

#![deny(missing_docs)]

pub mod docs;
pub mod grants;
pub mod limits;
pub mod manifest;
pub mod pack;
