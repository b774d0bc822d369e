//! Keyturn's host, for a panel in Rust: a small wasmtime host that gives a plugin only what its operator grants.
//!
//! A panel embeds it. The panel says who calls and whom they reach, and shows what plugins draw. Every method may block on the
//! disk or on a hash, so call it from a thread that may block.
//!
//! | to | see |
//! |---|---|
//! | open a host, as `keyturn.toml` says | [`config::Config`] |
//! | say who calls | [`caller::Caller`], [`accounts::Reach`] |
//! | draw plugins' pages and regions, and run their forms | [`embed::Pages`] |
//! | call a hook, such as the check at sign-in | [`Runtime::call`] |
//! | mount the operator's pages | [`operator::Operator`] |
//! | serve links, hooks and style sheets | [`http::router`], [`http::serve`](mod@http::serve) |
//! | send email and run jobs | [`work::Work::start_workers`] |
//!
//! # A panel
//!
//! A panel with one page, where people who forgot their password ask for a link. This is the crate's `examples/panel.rs`: in a folder
//! with a `keyturn.toml`, run `cargo run -p keyturn-host --example panel`. The repository's folder `examples/panel` is a whole panel,
//! with sign-in, customers and the operator's pages.
//!
//! ```no_run
#![doc = include_str!("../examples/panel.rs")]
//! ```
//!
//! # Hooks
//!
//! ```no_run
//! use keyturn_host::accounts::{Reach, Scope};
//! use keyturn_host::caller::{Actor, Caller};
//! use keyturn_host::config::Config;
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::read("keyturn.toml".as_ref())?;
//! let host = config.host()?;
//!
//! // Somebody signs in: anonymous until the password is right.
//! let anonymous = Caller::new(Actor::Anonymous, Reach::none());
//! let typed = json!({ "login_or_email": "marta", "password": "copper lantern oats" });
//! let verdict = host.call(&anonymous, &config.sign_in.hook, &typed, None)?;
//!
//! // An administrator with access to all customers has confirmed with her own password, and sets a customer's. The
//! // idempotency key makes a second request harmless.
//! let ana = Caller::new(Actor::Account("staff:9".parse()?), Reach::none().with("customer", Scope::All));
//! let ana = Caller { verified_at: Some(host.now()), ..ana };
//! let new = json!({ "account": "customer:42", "new": "velvet compass harbour", "must_change": true });
//! host.call(&ana, &config.sign_in.set_hook, &new, Some("2026-11-24/42"))?;
//! # drop(verdict);
//! # Ok(())
//! # }
//! ```

#![deny(missing_docs)]

pub mod config;
pub mod host;

pub use keyturn_core::{caller, network, seal, space};
pub use keyturn_http as http;
pub use keyturn_mail as mail;
pub use keyturn_operator as operator;
pub use keyturn_operator::{mail_settings, service_key};
pub use keyturn_pages as embed;
pub use keyturn_runtime::{CallError, Failure, Runtime, values};
pub use keyturn_store_mariadb as mariadb;
pub use keyturn_store_postgres as postgres;
pub use keyturn_store_sqlite as sqlite;
pub use keyturn_ui as view;
pub use keyturn_work as work;
pub use keyturn_work::{outbox, trials};

/// The panel's people, and how one panel keeps them.
pub mod accounts {
    pub use keyturn_accounts as sql;
    pub use keyturn_core::accounts::*;
    pub use keyturn_core::fold;
    pub use keyturn_store::Provider;
}

/// What a plugin is, from file to something that can be called.
pub mod plugin {
    pub use keyturn_package::{docs, grants, limits, manifest, pack};
    pub use keyturn_runtime::{admit, cache, compile, roster};
}

/// What a call reads and what it commits.
pub mod storage {
    pub use keyturn_store::*;
}

/// Webhooks: events posted to the operator's destinations.
pub mod webhooks {
    pub use keyturn_webhooks::*;
    pub use keyturn_work::tended;
}

pub use host::{Host, HostBuilder};
pub use view::Brand;
