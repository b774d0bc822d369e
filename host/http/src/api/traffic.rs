//! Recent requests: how many each key has made, and which operations are running.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use keyturn_package::limits::HostLimits;

/// How long a signature may be valid with a clock that is off as far as allowed, and a little more.
const NONCES_KEPT: Duration = Duration::from_secs(2 * super::signature::WINDOW as u64 + 10);

/// The length of a window.
const WINDOW: Duration = Duration::from_secs(60);

/// Shared by all servers of one host.
pub struct Traffic {
    windows: Mutex<HashMap<String, Window>>,
    under_way: Mutex<HashMap<(String, String), usize>>,
    nonces: Mutex<HashMap<String, Nonces>>,
    /// When this started, Unix seconds: nonces used before are unknown here.
    pub(super) started: i64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            windows: Mutex::default(),
            under_way: Mutex::default(),
            nonces: Mutex::default(),
            started: keyturn_core::time::now().div_euclid(1_000),
        }
    }
}

/// The nonces that a key used in this period and the one before, so each is kept for at least one period.
struct Nonces {
    now: HashSet<String>,
    before: HashSet<String>,
    since: Instant,
}

struct Window {
    began: Instant,
    count: u32,
}

/// A key's requests in its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    quota: u32,
    left: u32,
    /// Seconds until the next window, at least 1.
    pub(super) seconds: u32,
    /// Whether this request is within it.
    pub(super) within: bool,
}

impl Allowance {
    /// `RateLimit-Policy` and `RateLimit`, as in draft-ietf-httpapi-ratelimit-headers-09.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let policy = format!("\"key\";q={};w={}", self.quota, WINDOW.as_secs());
        let state = format!("\"key\";r={};t={}", self.left, self.seconds);
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Counts a request against the key's allowance for such addresses. Pages are drawn for many people, so they have an allowance
/// of their own.
pub(super) fn allowance(traffic: &Traffic, limits: &HostLimits, key: &str, path: &str) -> Allowance {
    if path.starts_with("/v1/views/") {
        return traffic.count(&format!("views {key}"), limits.views_per_minute, Instant::now());
    }
    traffic.count(key, limits.requests_per_minute, Instant::now())
}

impl Traffic {
    /// Takes a nonce of a key; false if it was taken before. There are at most as many as the key's allowance.
    pub(super) fn take(&self, key: &str, nonce: &str, now: Instant) -> bool {
        let mut nonces = lock(&self.nonces);
        let fresh = || Nonces { now: HashSet::new(), before: HashSet::new(), since: now };
        let of_key = nonces.entry(key.to_owned()).or_insert_with(fresh);
        let since = now.duration_since(of_key.since);
        if since >= NONCES_KEPT {
            // Of earlier periods, only the last one's are kept.
            let last = if since < 2 * NONCES_KEPT { std::mem::take(&mut of_key.now) } else { HashSet::new() };
            *of_key = Nonces { before: last, ..fresh() };
        }
        !of_key.before.contains(nonce) && of_key.now.insert(nonce.to_owned())
    }

    /// Counts a request of a key that may make `quota` in a window.
    pub(super) fn count(&self, key: &str, quota: u32, now: Instant) -> Allowance {
        let mut windows = lock(&self.windows);
        // There are as many as keys in use.
        let window = windows.entry(key.to_owned()).or_insert(Window { began: now, count: 0 });
        if now.duration_since(window.began) >= WINDOW {
            *window = Window { began: now, count: 0 };
        }
        let within = window.count < quota;
        window.count += u32::from(within);
        let rest = WINDOW.saturating_sub(now.duration_since(window.began));
        let seconds = u32::try_from(rest.as_millis().div_ceil(1_000)).unwrap_or(1).max(1);
        Allowance { quota, left: quota - window.count, seconds, within }
    }

    /// Notes an operation as under way until the answer is dropped.
    pub(super) fn begin(&self, caller: &str, idempotency_key: &str) -> UnderWay<'_> {
        let name = (caller.to_owned(), idempotency_key.to_owned());
        *lock(&self.under_way).entry(name.clone()).or_default() += 1;
        UnderWay { traffic: self, name }
    }

    /// Whether an operation of that key is under way.
    pub(super) fn is_under_way(&self, caller: &str, idempotency_key: &str) -> bool {
        lock(&self.under_way).contains_key(&(caller.to_owned(), idempotency_key.to_owned()))
    }
}

/// An operation under way.
pub(super) struct UnderWay<'a> {
    traffic: &'a Traffic,
    name: (String, String),
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut under_way = lock(&self.traffic.under_way);
        if let Some(count) = under_way.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.name);
            }
        }
    }
}

// A panic can't leave counts half-changed.
fn lock<K: Eq + Hash, V>(map: &Mutex<HashMap<K, V>>) -> MutexGuard<'_, HashMap<K, V>> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_let_in_as_often_as_its_quota_within_each_window_and_another_is_not_held_to_it() {
        let (traffic, began) = (Traffic::default(), Instant::now());
        let within = |key: &str, at: u64| traffic.count(key, 2, began + Duration::from_secs(at)).within;
        assert!(within("one", 0) && within("one", 1) && !within("one", 59));
        assert!(within("other", 59));
        assert!(within("one", 60), "a new window");
        let mut headers = HeaderMap::new();
        traffic.count("one", 2, began + Duration::from_secs(61)).write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"key\";q=2;w=60");
        assert_eq!(headers["ratelimit"], "\"key\";r=0;t=59");
    }

    #[test]
    fn an_operation_is_under_way_until_its_last_request_ends() {
        let traffic = Traffic::default();
        let (first, second) = (traffic.begin("k", "1"), traffic.begin("k", "1"));
        drop(first);
        assert!(traffic.is_under_way("k", "1") && !traffic.is_under_way("k", "2") && !traffic.is_under_way("l", "1"));
        drop(second);
        assert!(!traffic.is_under_way("k", "1"));
    }
}
