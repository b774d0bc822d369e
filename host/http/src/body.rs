//! Bodies that may hold a password: read whole, into memory that is wiped when it is dropped.

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes that are reserved before any arrive: a body may claim to be long and never come.
const FIRST: usize = 16 * 1024;

/// Why a body can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It is too long.
    #[error("the body is too large")]
    TooLarge,
    /// It ended early.
    #[error("the body did not arrive: {0}")]
    Broken(#[from] axum::Error),
}

/// Reads a body of at most so many bytes.
///
/// # Errors
/// [`Unread`].
pub async fn whole(mut body: Body, most: usize) -> Result<Zeroizing<Vec<u8>>, Unread> {
    let mut all = Zeroizing::new(Vec::with_capacity(FIRST.min(most)));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let length = all.len() + data.len();
        if length > most {
            wipe(data);
            return Err(Unread::TooLarge);
        }
        if length > all.capacity() {
            // Growing in place would leave a copy behind.
            let mut larger = Zeroizing::new(Vec::with_capacity(length.max(all.capacity() * 2).min(most)));
            larger.extend_from_slice(&all);
            all = larger;
        }
        all.extend_from_slice(&data);
        wipe(data);
    }
    Ok(all)
}

/// Wipes a part that nobody else holds. If the server's own buffer still has it, the next data overwrites it.
fn wipe(data: Bytes) {
    if let Ok(mut data) = data.try_into_mut() {
        data[..].zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_whole_or_not_at_all() {
        let of = |length: usize| Body::from(vec![b'x'; length]);
        assert_eq!(whole(of(FIRST + 1), FIRST + 1).await.expect("whole").len(), FIRST + 1);
        assert!(matches!(whole(of(FIRST + 1), FIRST).await, Err(Unread::TooLarge)));
        assert_eq!(whole(Body::empty(), 10).await.expect("whole").len(), 0);
    }
}
