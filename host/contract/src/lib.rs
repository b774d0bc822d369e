//! The contract in Rust: generated from `wit/`, nothing written by hand.
//!
//! The exports are called through `get_typed_func` or by value, not through the generated world, whose instantiation
//! would check the type of every export at each call (25 µs against 7).

#![deny(missing_docs)]

#[allow(missing_docs)] // of bindgen's own glue; `host/package` has a test that everything in `wit/` has a doc
mod generated {
    wasmtime::component::bindgen!({
        path: ["../../wit/panel", "../../wit/ui"],
        inline: "
            package keyturn:host@0.1.0;
            world host {
                include keyturn:panel/imports@0.1.0;
                include keyturn:panel/has-background@0.1.0;
                include keyturn:ui/has-views@0.1.0;
            }
        ",
        world: "keyturn:host/host",
        imports: { default: trappable },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}

pub use generated::*;
use keyturn::panel::{database, mail};

/// A limit, by its name.
impl From<&'static str> for database::Error {
    fn from(limit: &'static str) -> Self {
        Self::Limit(limit.to_owned())
    }
}

/// A limit, by its name.
impl From<&'static str> for mail::Error {
    fn from(limit: &'static str) -> Self {
        Self::Limit(limit.to_owned())
    }
}
