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
        trappable_error_type: {
            "keyturn:panel/accounts.error" => wasmtime::Error,
            "keyturn:panel/database.error" => wasmtime::Error,
            "keyturn:panel/events.error" => wasmtime::Error,
            "keyturn:panel/jobs.error" => wasmtime::Error,
            "keyturn:panel/kdf.error" => wasmtime::Error,
            "keyturn:panel/mail.error" => wasmtime::Error,
        },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}

pub use generated::*;
