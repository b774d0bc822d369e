//! The password plugin of Keyturn: all password logic, and no I/O of its own.
//!
//! A call reads, decides, and asks for effects; the host applies them. Everything that the plugin needs from outside comes
//! through the traits of [`ports`]. In the component, the contract's imports implement them; natively, a panel in memory does
//! (feature `native`). So the same logic runs under tests, and as the baseline for what the sandbox costs.
//!
//! One module for each use case: [`sign_in`], [`recovery`], [`reset_and_mail`], [`change`] (every way to a new password ends in
//! one function), [`links`], [`status`], [`check`], [`recognise`]. One for each concept: `policy`, [`password`], `generate`,
//! `token`, `device`, `letter` (the emails), `told` (who is notified of a change), `throttle`, `hash`, `store`, `words`,
//! `unicode`. [`background`] passes jobs to their use case. [`views`] has one file for each page and slot.
//!
//! Invariants: use cases use ports, never the bindings of an import; nothing outlives a call, so nothing is built lazily; no
//! secret has a `Debug`.

pub mod address;
pub mod background;
pub mod bindings;
pub mod change;
pub mod check;
mod device;
mod failure;
mod generate;
#[cfg(target_arch = "wasm32")]
mod guest;
mod hash;
mod letter;
pub mod links;
pub mod password;
mod policy;
pub mod ports;
pub mod recognise;
pub mod recovery;
pub mod reset_and_mail;
mod settings;
pub mod sign_in;
pub mod status;
mod store;
#[cfg(any(test, feature = "native"))]
pub mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod throttle;
mod token;
mod told;
mod unicode;
pub mod views;
mod words;
