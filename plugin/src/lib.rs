//! The password plugin of Keyturn: all password logic, and no I/O of its own.
//!
//! A call reads, decides, and asks for effects; the host applies them. What the plugin needs of the world comes in by the
//! traits of [`ports`]. In the component they are answered by the contract's imports; natively, by a panel in memory
//! (feature `native`), so that the same logic runs under tests and as the yardstick for what the sandbox costs.
//!
//! One module for each use case: [`sign_in`], [`recovery`], [`reset_and_mail`], [`change`] (every way to a new password ends in
//! one function), [`links`], [`status`], [`check`], [`recognise`]; and one for each concept: `policy`, [`password`], `generate`,
//! `token`, `device`, `letter` (our mails), `told` (who learns of a change), `throttle`, `hash`, `store`, `words`, `unicode`.
//! [`background`] leads jobs to their use case. [`views`] has one file for each page and slot.
//!
//! What must stay true: no use case names an import's binding, only a port; nothing of one call outlives it, so nothing is
//! built lazily; no secret has a `Debug`.

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
