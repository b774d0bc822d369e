//! A small wasmtime host that gives a plugin nothing but what its operator grants.

pub mod accounts;
mod bindings;
mod call;
pub mod caller;
mod capabilities;
pub mod config;
pub mod embed;
mod engine;
pub mod host;
pub mod http;
mod kdf;
pub mod plugin;
pub mod seal;
pub mod storage;
pub mod values;
pub mod view;

pub use call::{CallError, Failure};
pub use host::{Brand, Host, HostBuilder};
