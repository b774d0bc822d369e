//! Tests of a whole host against a model, and across `kill -9`.

mod documented;
mod model;
mod outbox;
mod settings;
mod webhooks;
