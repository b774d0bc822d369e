//! Draws a plugin's views. The plugin says what a thing is; the host decides how it looks, reads and behaves.
//!
//! Invariants: every text goes through [`html::escaped`]; ids are the host's own; a password is never drawn; limits are checked
//! before a byte is written. The panel draws its own forms in the same way, under a plugin name of its own.

#![deny(missing_docs)]

mod brand;
pub mod delivery;
pub mod form;
mod frame;
pub mod html;
pub mod json;
mod limits;
pub mod look;
mod place;
pub mod shell;
#[cfg(test)]
mod tests;
pub mod theme;
pub use keyturn_core::words;

pub use brand::Brand;
pub use delivery::Delivery;
pub use form::{Corrections, FieldError};
pub use frame::{Frame, Links, Surface};
pub use html::Markup;
pub use html::nodes::Summary;
pub use keyturn_contract::keyturn::ui::nodes;
pub use limits::ViewError;
pub use place::{Place, Token};

use html::nodes::Painter;
use nodes::{Node, View};

/// A page, without the shell around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// For `<title>`: plain text, not escaped; begins with "Error: " after an error.
    pub title: String,
    /// The error summary, the outcome, the h1, and the rest.
    pub html: Markup,
}

/// A region of one of the panel's pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// The region.
    pub html: Markup,
    /// The errors, to show first in `main`, with "Error: " before the page's title; empty if there are none.
    pub summary: Summary,
}

/// A plugin's part of a customer's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// A sentence, for a cell.
    pub sentence: Markup,
    /// Buttons and links.
    pub actions: Markup,
}

/// Draws a plugin's page.
///
/// # Errors
/// [`ViewError`], for the administrator: what exceeds the plugin's limits or grants.
pub fn draw_view(view: &View, frame: &Frame<'_>) -> Result<Page, ViewError> {
    limits::view(view, frame)?;
    let mut painter = Painter::new(frame, 2);
    painter.sections(&view.nodes);
    let body = painter.html.done();
    let summary = painter.summary().draw(painter.words);
    let prefix = if summary.is_empty() { "" } else { painter.words.get("error-prefix") };
    let title = format!("{prefix}{}", painter.plain(&view.title));
    painter.html.markup(&summary);
    if let Some(outcome) = &view.outcome {
        painter.outcome(outcome);
    }
    painter.html.open("h1", &[]);
    painter.sentence(&view.title);
    painter.html.close("h1");
    if let Some(lead) = &view.lead {
        painter.html.class("p", "kt-lead");
        painter.sentence(lead);
        painter.html.close("p");
    }
    painter.html.markup(&body);
    painter.origin();
    Ok(Page { title, html: painter.html.done() })
}

/// Draws a region, whose headings become h2 or h3 by `level`.
///
/// # Errors
/// [`ViewError`], for the administrator: what exceeds the plugin's limits or grants, or doesn't fit the slot.
pub fn draw_region(nodes: &[Node], frame: &Frame<'_>, level: u8) -> Result<Region, ViewError> {
    limits::region(nodes, frame)?;
    let mut painter = Painter::new(frame, level.clamp(2, 3));
    painter.sections(nodes);
    if !nodes.is_empty() {
        painter.origin();
    }
    let html = painter.html.done();
    Ok(Region { html, summary: painter.summary() })
}

/// Draws an outcome, to put before a page's h1.
///
/// # Errors
/// [`ViewError`], for the administrator: what exceeds the plugin's limits.
pub fn draw_outcome(outcome: &nodes::Outcome, frame: &Frame<'_>) -> Result<Markup, ViewError> {
    limits::outcome(outcome, frame)?;
    let mut painter = Painter::new(frame, 2);
    painter.outcome(outcome);
    Ok(painter.html.done())
}

/// Draws a customer's row: one sentence with at most two badges, and at most two actions.
///
/// # Errors
/// [`ViewError`], for the administrator: what exceeds that.
pub fn draw_row(nodes: &[Node], frame: &Frame<'_>) -> Result<Row, ViewError> {
    limits::row(nodes, frame)?;
    let mut painter = Painter::new(frame, 3);
    for node in nodes {
        if let Node::Text(sentence) = node {
            painter.sentence(sentence);
        }
    }
    let sentence = painter.html.done();
    for node in nodes {
        if let Node::Actions(actions) = node {
            painter.row_actions(actions);
        }
    }
    Ok(Row { sentence, actions: painter.html.done() })
}
