//! How events are named.

/// Whether `listened`, as who listens writes it, names an event of that source and name.
pub fn names(listened: &str, source: &str, event: &str) -> bool {
    match listened.split_once('/') {
        Some((from, name)) => from == source && name == event,
        None => listened == event,
    }
}
