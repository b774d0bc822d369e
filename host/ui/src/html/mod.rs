//! How each node looks.

pub mod delivery;
pub mod fields;
pub mod forms;
pub mod nodes;
pub mod table;
pub mod values;

pub use keyturn_core::html::*;
pub use keyturn_core::text::dropped;

/// Icons: inline, hidden from screen readers, in the colour of the text around them.
pub mod icon {
    /// For errors and warnings.
    pub const ALERT: &str = r#"<svg class="kt-icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><circle cx="10" cy="10" r="8"/><path d="M10 5.5v5.5M10 14v.5"/></svg>"#;
    /// For successes.
    pub const CHECK: &str = r#"<svg class="kt-icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><circle cx="10" cy="10" r="8"/><path d="m6.5 10.2 2.5 2.5 4.5-5"/></svg>"#;
    /// For notes.
    pub const INFO: &str = r#"<svg class="kt-icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><circle cx="10" cy="10" r="8"/><path d="M10 9v5M10 6v.5"/></svg>"#;
    /// The menu on a phone.
    pub const MENU: &str = r#"<svg class="kt-icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d="M3 6h14M3 10h14M3 14h14"/></svg>"#;
    /// Search.
    pub const SEARCH: &str = r#"<svg class="kt-icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><circle cx="9" cy="9" r="5.5"/><path d="m13 13 4 4"/></svg>"#;
}
