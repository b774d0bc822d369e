//! Writes HTML. Names of elements and attributes are literals of the host; every other text goes through [`escaped`]. Nothing
//! else makes [`Markup`], so plain text can't be taken for markup.

use std::fmt;

use crate::text::dropped;

/// Finished HTML. Only [`Html`] makes it.
#[must_use]
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
    pub fn text(text: &str) -> Self {
        Html::new().text(text).done()
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes HTML: elements and attributes are literals of the program, values are escaped.
#[derive(Debug, Default)]
pub struct Html(String);

/// An attribute's value; none leaves the attribute out, an empty one writes the bare name.
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

    /// Opens an element with only a class.
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

    /// An element with one text.
    pub fn element(&mut self, name: &'static str, attributes: &[Attribute<'_>], text: &str) -> &mut Self {
        self.open(name, attributes).text(text).close(name)
    }

    /// Finished markup.
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

    /// Takes the finished markup.
    pub fn done(&mut self) -> Markup {
        Markup(std::mem::take(&mut self.0))
    }
}

/// The only escaping function, for text and for quoted attributes. Line breaks and tabs become spaces. Other control characters
/// are dropped, and so are characters that override or isolate direction: the host isolates with elements, and a name must not
/// turn the line around it.
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
