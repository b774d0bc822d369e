//! Tests of the built example panel: in a browser, over HTTP, at its console.

#[path = "browser/main.rs"]
mod browser;
#[path = "flows/full.rs"]
mod full;
#[path = "flows/import.rs"]
mod import;
#[path = "browser/panels.rs"]
mod panels;
#[path = "flows/people.rs"]
mod people;
