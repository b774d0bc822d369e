//! Tests of a whole host across `kill -9` and across processes.

mod documented;
mod outbox;
mod settings;
mod webhooks;
