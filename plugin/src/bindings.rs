//! wit-bindgen's output for the world `keyturn:password/plugin`. Both sides use its types; its functions work in the component
//! only (`guest`).
#![allow(unsafe_code, missing_docs, clippy::all)]

wit_bindgen::generate!({
    path: ["../wit/panel", "../wit/ui", "../wit/password"],
    world: "keyturn:password/plugin",
    generate_all,
    additional_derives: [PartialEq],
    pub_export_macro: true,
});

pub use exports::keyturn::panel::background;
pub use exports::keyturn::password::password;
pub use exports::keyturn::ui::views;
pub use keyturn::panel::{accounts, call, database, events, jobs, kdf, keys, mail, settings, types};
pub use keyturn::ui::nodes;
