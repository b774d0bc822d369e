//! The plain text.

use super::{Letter, MASK, Piece};

const COLUMNS: usize = 72;

pub(super) fn draw(letter: &Letter<'_>) -> String {
    let mut blocks = vec![wrapped(&letter.brand)];
    for piece in &letter.pieces {
        blocks.push(match piece {
            Piece::Heading(words) => wrapped(&words.text().to_uppercase()),
            Piece::Text(words) => wrapped(&words.text()),
            Piece::Link(label, address) => {
                // The address is alone on its line and never wrapped; otherwise people click half of it.
                format!("{}\n{}", wrapped(&format!("{}:", label.text())), address.as_ref().map_or(MASK, |a| a.as_str()))
            }
            Piece::Secret(secret) => secret.to_string(),
        });
    }
    blocks.push(wrapped(&letter.footer));
    blocks.push(format!("--\n{}", letter.brand));
    blocks.join("\n\n") + "\n"
}

/// Lines of at most 72 characters; a longer word gets a line of its own.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > COLUMNS {
            lines.push('\n');
            column = 0;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += width;
    }
    lines
}
