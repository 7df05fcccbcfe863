//! Reads a request's body: bounded in bytes, also where it does not say how long it is, and in time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout_at};

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    TooLarge,
    Slow,
    Broken,
}

pub(super) async fn read_body(
    request: Request<Incoming>,
    bytes_max: usize,
    deadline: Duration,
) -> Result<Bytes, BodyError> {
    let mut body = request.into_body();
    // What it says itself is refused before it is read.
    let bytes_max_u64 = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    if body.size_hint().lower() > bytes_max_u64 {
        return Err(BodyError::TooLarge);
    }
    let deadline = Instant::now() + deadline;
    let mut read = BytesMut::new();
    while let Some(frame) = timeout_at(deadline, body.frame()).await.map_err(|_| BodyError::Slow)? {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if read.len() + data.len() > bytes_max {
            return Err(BodyError::TooLarge);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}
