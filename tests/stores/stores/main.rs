//! The store on every engine.

mod accounts;
mod addresses;
mod audit;
mod chain;
mod copying;
mod counters;
mod data;
mod deliveries;
mod hosts;
mod model;
mod opening;
mod outbox;
mod people;
mod settings;
mod tasks;
