//! The pages, a file for each.

pub mod account;
pub mod activity;
pub mod details;
pub mod forms;
pub mod home;
pub mod operator;
pub mod overview;
pub mod people;
pub mod plugin;
pub mod sign_in;
pub mod step_up;
