//! Hooks over HTTP, as a billing system calls them: the built binary, real sockets.

mod billing;
mod calls;
mod described;
mod keys;
mod own;
mod server;
mod serving;
mod signed;
mod tried;
mod views;
