//! Hooks over HTTP, as a billing system calls them, and webhooks, as it is called: the built binary, real sockets.

mod addresses;
mod audit;
mod billing;
mod calls;
mod client_address;
mod described;
mod faults;
mod keys;
mod moving;
mod own;
mod plugins;
mod rights;
pub mod server;
mod servers;
mod servers_webhooks;
mod serving;
mod several;
mod signed;
mod tried;
mod views;
mod webhooks;
