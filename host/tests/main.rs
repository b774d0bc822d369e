//! Tests of a whole host across `kill -9` and across processes.

mod outbox;
mod settings;
mod webhooks;
