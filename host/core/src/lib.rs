//! What every part of the host uses: who acts and how far they reach, accounts, sealing, addresses, time, words.

#![deny(missing_docs)]

pub mod accounts;
pub mod caller;
pub mod events;
pub mod fold;
pub mod html;
pub mod id;
pub mod mail;
pub mod masked;
mod named;
pub mod network;
pub mod origin;
pub mod seal;
pub mod settings;
pub mod space;
pub mod stored;
pub mod text;
pub mod time;
pub mod words;
