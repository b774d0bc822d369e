//! The shape of a password under its disguise. It uses no Unicode tables and no other module, because `build.rs` includes this
//! file to reduce the list of common passwords: the list and the password must be reduced in the same way.

/// How much may be trimmed off a common password so that it stays one: `Password-2024!!` is `password`.
pub const WEAK_TRIM: usize = 6;

/// Only so many characters of a longer text are rated, because rating costs more than its length.
const JUDGED: usize = 256;

/// See [`JUDGED`].
pub fn head(text: &str) -> &str {
    text.char_indices().nth(JUDGED).map_or(text, |(end, _)| &text[..end])
}

/// Undoes "leet" and drops separators, in folded text. All readings of one sign become the same letter (`1`, `l` and `!` are
/// all `i`), so nothing has to be guessed.
pub fn canon(folded: &str) -> String {
    folded.chars().map(|c| if c == 'l' { 'i' } else { letter(c, 'i') }).filter(|c| c.is_alphanumeric()).collect()
}

/// The letter that a sign means in "leet"; `bar`: the letter for `1`, `!` and `|`.
fn letter(c: char, bar: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' | '|' => bar,
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        '8' => 'b',
        '9' => 'g',
        c => c,
    }
}

/// A word without the digits and symbols at its end, and at both ends.
pub fn trimmed(folded: &str) -> [&str; 2] {
    let end = folded.trim_end_matches(|c: char| !c.is_alphabetic());
    [end, end.trim_start_matches(|c: char| !c.is_alphabetic())]
}

/// The key of an entry in the list of common passwords; none if too little is left.
pub fn stem(entry: &str) -> Option<String> {
    let [_, core] = trimmed(entry);
    let key = canon(if core.len() >= 4 { core } else { entry });
    (key.len() >= 4).then_some(key)
}

/// The shortest piece that, repeated, gives the text: `abc` for `abcabcab`. The whole text if it doesn't repeat at least half
/// of the piece.
pub fn unit(text: &str) -> &str {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let n = chars.len();
    for period in 1..n {
        if n * 2 < period * 3 {
            break;
        }
        if (period..n).all(|i| chars[i].1 == chars[i - period].1) {
            return &text[..chars[period].0];
        }
    }
    text
}

/// How many characters are left without the pieces of at least [`SHORTEST_COPY`] that occurred before. Stops counting at
/// `enough`.
pub fn said_once(text: &[char], enough: usize) -> usize {
    let (mut at, mut once) = (0, 0);
    while at < text.len() && once < enough {
        let copied = |from: usize| text[at..].iter().zip(&text[from..]).take_while(|(a, b)| a == b).count();
        match (0..at).map(copied).max() {
            Some(long) if long >= SHORTEST_COPY => at += long,
            _ => (at, once) = (at + 1, once + 1),
        }
    }
    once
}

/// Shorter pieces repeat in every language.
const SHORTEST_COPY: usize = 4;

/// How many characters add something new. A character that repeats its neighbour doesn't, nor one that continues a sequence: in
/// the alphabet, in the digits or on a keyboard. If a sign has several readings, as itself or as a letter, the one with the
/// longest run counts.
pub fn weight(folded: &str) -> usize {
    let chars: Vec<char> = folded.chars().collect();
    let mut runs = vec![Vec::new(); chars.len()];
    for reading in readings(&chars) {
        for steps in [order(&reading)].into_iter().chain(KEYBOARDS.iter().map(|keyboard| walk(keyboard, &reading))) {
            add_runs(&steps, &mut runs);
        }
    }
    // The lowest cost of the rest from each position, in halves of a character.
    let mut rest = vec![0; chars.len() + 1];
    for at in (0..chars.len()).rev() {
        let by_run = runs[at].iter().map(|run: &Run| run.costs + rest[at + run.long]);
        rest[at] = by_run.chain([2 + rest[at + 1]]).min().unwrap_or_default();
    }
    rest[0].div_ceil(2)
}

/// A run: each character but the first ones follows from those before it.
#[derive(Clone)]
struct Run {
    long: usize,
    /// What it adds, in halves of a character.
    costs: usize,
}

/// The text itself, and the text with its signs read as letters.
fn readings(chars: &[char]) -> Vec<Vec<char>> {
    let mut readings = vec![chars.to_vec()];
    for bar in ['i', 'l'] {
        let read: Vec<char> = chars.iter().map(|c| letter(*c, bar)).collect();
        if !readings.contains(&read) {
            readings.push(read);
        }
    }
    readings
}

/// The step from one character to the next; `near`: to a neighbour, or none.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Step {
    by: (i32, i32),
    near: bool,
}

/// Steps by code points.
fn order(chars: &[char]) -> Vec<Option<Step>> {
    let by = |pair: &[char]| pair[1] as i32 - pair[0] as i32;
    chars.windows(2).map(|pair| Some(Step { by: (0, by(pair)), near: by(pair).abs() <= 1 })).collect()
}

type Keyboard = [&'static str; 4];

/// QWERTY, QWERTZ and AZERTY. The digits continue from 9 to 0; the sign on a digit's key belongs to it.
const KEYBOARDS: [Keyboard; 3] = [
    ["1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"],
    ["1234567890", "qwertzuiop", "asdfghjkl", "yxcvbnm,.-"],
    ["1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn,;:!"],
];

const SHIFTED: [&str; 2] = ["!@#$%^&*()", "1234567890"];

/// Steps by the places of the keys. Each row is half a key to the right of the one above, so a key has two below it.
fn walk(keyboard: &Keyboard, chars: &[char]) -> Vec<Option<Step>> {
    let key = |c: char| {
        let plain = SHIFTED[0].find(c).and_then(|at| SHIFTED[1][at..].chars().next());
        [Some(c), plain]
            .into_iter()
            .flatten()
            .find_map(|c| keyboard.iter().zip(0..).find_map(|(row, y)| row.find(c).map(|x| (x as i32, y))))
    };
    let step = |pair: &[char]| {
        let ((x, y), (to_x, to_y)) = (key(pair[0])?, key(pair[1])?);
        let by = (to_x - x, to_y - y);
        Some(Step { by, near: matches!(by, (-1..=1, 0) | (0 | -1, 1) | (0 | 1, -1)) })
    };
    chars.windows(2).map(step).collect()
}

/// The longest pattern of steps to look for: `1qaz2wsx3edc` repeats four.
const LONGEST_PATTERN: usize = 8;

/// The shortest walk from key to key that counts; words are full of shorter ones.
const SHORTEST_WALK: usize = 5;

fn add_runs(steps: &[Option<Step>], runs: &mut [Vec<Run>]) {
    // Two steps from each position, up to the next one that leads nowhere; for the first, also its length.
    let mut walkable = vec![0; steps.len() + 1];
    let mut near = vec![(0, 0); steps.len() + 1];
    let mut leads = vec![(0, 0); steps.len() + 1];
    for at in (0..steps.len()).rev() {
        let Some(step) = steps[at] else { continue };
        walkable[at] = 1 + walkable[at + 1];
        leads[at] = (leads[at + 1].0 + step.by.0, leads[at + 1].1 + step.by.1);
        if step.near {
            let (long, turns) = near[at + 1];
            let turn = long > 0 && steps.get(at + 1) != Some(&Some(step));
            near[at] = (long + 1, turns + usize::from(turn));
        }
    }
    for pattern in 1..=LONGEST_PATTERN {
        // How many steps from a position equal the one `pattern` steps before.
        let mut again = vec![0; steps.len() + 1];
        for at in (pattern..steps.len()).rev() {
            again[at] = if steps[at] == steps[at - pattern] { 1 + again[at + 1] } else { 0 };
        }
        for at in (0..steps.len()).filter(|at| walkable[*at] >= pattern) {
            let long = 1 + pattern + again[at + pattern].min(walkable[at] - pattern);
            let comes_back = leads[at] == leads[at + pattern];
            let costs = match pattern {
                1 if comes_back => 2,
                // Two neighbours alone are not a run: every language has `op` and `er`.
                1 if near[at].0 == 0 || long < 3 => continue,
                1 => 4,
                // A walk that returns to its start repeats a piece, and is rated as that.
                _ if comes_back || long <= 2 * pattern => continue,
                _ => 2 + 2 * pattern,
            };
            runs[at].push(Run { long, costs });
        }
    }
    for (at, (long, turns)) in near.into_iter().enumerate() {
        if long + 1 >= SHORTEST_WALK {
            // At a turn there are a few keys to choose from.
            runs[at].push(Run { long: long + 1, costs: 4 + turns });
        }
    }
}
