//! Tests of the built command `keyturn`: at the console, and as a server of hooks.

#[path = "canary/console.rs"]
mod canary;
#[path = "flows/main.rs"]
mod flows;
#[path = "flows/hooks/main.rs"]
mod hooks;
