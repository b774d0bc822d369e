//! Tests of the whole without a server: what contains a plugin, the password plugin in a host, mail on real servers.

#[path = "containment/main.rs"]
mod containment;
#[path = "mail/main.rs"]
mod mail;
#[path = "flows/plugin.rs"]
mod plugin;
