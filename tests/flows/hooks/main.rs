//! Hooks over HTTP, as a billing system calls them: the built binary, real sockets.

mod calls;
mod keys;
mod server;
