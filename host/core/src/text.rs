//! Other people's text, on one line of ours.

/// Removes what no page may show: controls, and marks that turn text around.
#[must_use]
pub fn dropped(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

/// Whether a character is invisible, or turns its neighbours around: controls, line and paragraph separators, direction marks,
/// invisible spaces, noncharacters. The two joiners stay: Persian and Hindi names need them.
pub fn invisible(c: char) -> bool {
    dropped(c)
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
        )
        || matches!(c, '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` as one line of at most `most` characters: white space becomes one space, invisible characters are dropped.
pub fn line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let mut seen = word.chars().filter(|c| !invisible(*c)).peekable();
        if seen.peek().is_some() && !line.is_empty() {
            line.push(' ');
        }
        line.extend(seen);
    }
    match line.char_indices().nth(most) {
        None => line,
        Some(_) => line.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_has_no_break_no_turn_and_an_end() {
        assert_eq!(super::line(" a\r\nBcc:\tb\u{202e}c \u{200b} \u{2028}d\0e ", 80), "a Bcc: bc d e");
        assert_eq!(super::line("abcdef", 6), "abcdef");
        assert_eq!(super::line("abcdefg", 6), "abcde…");
    }
}
