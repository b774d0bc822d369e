//! Hooks over HTTP, as a billing system calls them, and webhooks, as it is called: the built binary, real sockets.

mod addresses;
mod billing;
mod calls;
mod client_address;
mod described;
mod keys;
mod own;
mod plugins;
pub mod server;
mod servers;
mod servers_webhooks;
mod serving;
mod signed;
mod tried;
mod views;
mod webhooks;
