//! The shape of a password, whatever it is dressed in. Knows no Unicode tables and no other module, because `build.rs` takes
//! the same file to reduce the list of common passwords: list and password must pass through one sieve.

/// What may be trimmed off a common password and still leave it one: `Password-2024!!` is `password`.
pub const WEAK_TRIM: usize = 6;

/// Undoes "leet" and drops separators, on folded text. Several readings of one sign fall into one class (`1`, `l`, `!` are
/// all `i`), so that no reading has to be guessed.
pub fn canon(folded: &str) -> String {
    folded
        .chars()
        .filter_map(|c| match c {
            '0' => Some('o'),
            '1' | '!' | '|' | 'l' => Some('i'),
            '3' => Some('e'),
            '4' | '@' => Some('a'),
            '5' | '$' => Some('s'),
            '7' | '+' => Some('t'),
            '8' => Some('b'),
            '9' => Some('g'),
            c if c.is_alphanumeric() => Some(c),
            _ => None,
        })
        .collect()
}

/// What remains of a word when digits and symbols are taken off its end, and off both ends.
pub fn trimmed(folded: &str) -> [&str; 2] {
    let end = folded.trim_end_matches(|c: char| !c.is_alphabetic());
    [end, end.trim_start_matches(|c: char| !c.is_alphabetic())]
}

/// The key under which an entry of the list of common passwords is found; none where too little of it is left.
pub fn stem(entry: &str) -> Option<String> {
    let [_, core] = trimmed(entry);
    let key = canon(if core.len() >= 4 { core } else { entry });
    (key.len() >= 4).then_some(key)
}

/// The shortest piece that, written again and again, gives the text: `abc` for `abcabcab`. The text itself when it does not
/// repeat for at least half of the piece.
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

/// How many characters say something new: not one that repeats its neighbour, nor one that goes on as the two before it did,
/// in the alphabet, in the digits or on the keyboard. Two neighbours alone are no run: every language has `op` and `er`.
pub fn weight(folded: &str) -> usize {
    let mut count = 0;
    let mut last = None;
    let mut last_step = None;
    for c in folded.chars() {
        let step = last.and_then(|last| step(last, c));
        let goes_on = last == Some(c) || (step.is_some() && step == last_step);
        count += usize::from(!goes_on);
        (last, last_step) = (Some(c), step);
    }
    count
}

/// Rows and columns of a keyboard. The digits run on from 9 to 0.
const RUNS: [&str; 12] =
    ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qaz", "wsx", "edc", "rfv", "tgb", "yhn", "ujm", "!@#$%^&*()"];

/// Along what two characters are neighbours (0: the order of code points, else a run), and whether forwards.
fn step(a: char, b: char) -> Option<(usize, bool)> {
    if (a as u32).abs_diff(b as u32) == 1 {
        return Some((0, a < b));
    }
    RUNS.iter().zip(1..).find_map(|(run, number)| {
        let (a, b) = (run.find(a)?, run.find(b)?);
        (a.abs_diff(b) == 1).then_some((number, a < b))
    })
}
