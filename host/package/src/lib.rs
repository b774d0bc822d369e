//! A plugin as a file: its component, its manifest, the docs of its contract; and what its operator grants it.

#![deny(missing_docs)]

pub mod docs;
pub mod grants;
pub mod limits;
pub mod manifest;
pub mod pack;
