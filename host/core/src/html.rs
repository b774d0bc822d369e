//! The writer: names of elements and attributes are the host's literals, and every other piece of text goes through
//! [`escaped`]. Nothing else makes [`Markup`], so what is not markup cannot be taken for it.

use std::fmt;

use crate::text::dropped;

/// Finished HTML: made by [`Html`] only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Markup(String);

impl Markup {
    /// The HTML.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is drawn.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One piece of text, escaped.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Html::new().text(text).done()
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes HTML. Elements and attributes are literals of the program; values are escaped.
#[derive(Debug, Default)]
pub struct Html(String);

/// An attribute's value; none leaves the attribute out, an empty one is drawn bare.
pub type Attribute<'a> = (&'static str, Option<&'a str>);

impl Html {
    /// An empty piece.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an element with attributes.
    pub fn open(&mut self, name: &'static str, attributes: &[Attribute<'_>]) -> &mut Self {
        self.0.push('<');
        self.0.push_str(name);
        for (key, value) in attributes {
            if let Some(value) = value {
                self.0.push(' ');
                self.0.push_str(key);
                if !value.is_empty() || *key == "value" || *key == "alt" {
                    self.0.push_str("=\"");
                    escaped(value, &mut self.0);
                    self.0.push('"');
                }
            }
        }
        self.0.push('>');
        self
    }

    /// Opens an element that has a class and nothing else.
    pub fn class(&mut self, name: &'static str, class: &str) -> &mut Self {
        self.open(name, &[("class", Some(class))])
    }

    /// Closes an element.
    pub fn close(&mut self, name: &'static str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }

    /// Text, escaped.
    pub fn text(&mut self, text: &str) -> &mut Self {
        escaped(text, &mut self.0);
        self
    }

    /// An element that holds one text.
    pub fn element(&mut self, name: &'static str, attributes: &[Attribute<'_>], text: &str) -> &mut Self {
        self.open(name, attributes).text(text).close(name)
    }

    /// What is finished already.
    pub fn markup(&mut self, markup: &Markup) -> &mut Self {
        self.0.push_str(&markup.0);
        self
    }

    /// A literal of the program.
    pub fn literal(&mut self, html: &'static str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Takes what is written.
    pub fn done(&mut self) -> Markup {
        Markup(std::mem::take(&mut self.0))
    }
}

/// The one escaping function, for text and for quoted attributes. Line breaks and tabs become spaces; other control
/// characters are dropped, and so are the characters that override or isolate direction: the host isolates by
/// elements, and a name must not turn the line that it stands in.
pub fn escaped(text: &str, to: &mut String) {
    for c in text.chars() {
        match c {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => to.push(' '),
            c if dropped(c) => {}
            c => to.push(c),
        }
    }
}
