//! The HTTP server under both ports. Our own accept loop on hyper: a server without deadlines for
//! headers is held open by anyone who sends them a byte at a time.

use std::future::Future;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the headers of a request may take, also the next one's on a connection that is kept.
pub const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// How long the line and the headers of a request may be together, in bytes.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How many connections are open at once; the next ones wait to be accepted.
pub const CONNECTIONS_MAX: usize = 4096;

/// How long a connection is kept at most: one whose client reads no answers would be held for ever.
pub const CONNECTION_MAX: Duration = Duration::from_secs(300);

/// How long the last request of a connection may take.
pub const LAST_REQUEST_MAX: Duration = Duration::from_secs(15);

/// Serves until it is told to stop; then no connection is accepted, and those that are open end with
/// the request that they are in. Returns when all have ended. A panic in `answer` is answered by
/// `panicked`.
pub async fn serve<A, F, B, P>(
    listener: TcpListener,
    answer: A,
    panicked: P,
    stop: CancellationToken,
) where
    P: Fn() -> Response<B> + Clone + Send + Sync + 'static,
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = bytes::Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static,
{
    let tracker = TaskTracker::new();
    let room = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, permit)) = accepted else { continue };
        let (answer, panicked, stop) = (answer.clone(), panicked.clone(), stop.clone());
        tracker.spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer.clone();
                // A task of its own: a panic in it ends the request and not the connection's task,
                // and a client that hangs up cancels nothing.
                let answering = tokio::spawn(async move { answer(request).await });
                let panicked = panicked.clone();
                async move {
                    Ok::<_, std::convert::Infallible>(
                        answering.await.unwrap_or_else(|_| panicked()),
                    )
                }
            });
            let mut builder = http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_DEADLINE)
                .max_buf_size(HEAD_BYTES_MAX)
                .keep_alive(true);
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                result = connection.as_mut() => end(result),
                () = until_old_or(&stop) => {
                    connection.as_mut().graceful_shutdown();
                    // Who does not read its answer is not waited for.
                    match tokio::time::timeout(LAST_REQUEST_MAX, connection).await {
                        Ok(result) => end(result),
                        Err(_) => tracing::debug!("a connection did not end in time"),
                    }
                }
            }
            drop(permit);
        });
    }
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

async fn until_old_or(stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(CONNECTION_MAX) => {}
    }
}

async fn accept(
    listener: &TcpListener,
    room: &std::sync::Arc<tokio::sync::Semaphore>,
) -> Option<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = std::sync::Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            stream.set_nodelay(true).ok();
            Some((stream, permit))
        }
        Err(error) => {
            // Out of file descriptors, most likely: others must end first.
            tracing::error!(error = %error, "cannot accept connections");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// How a connection ended is its client's business.
fn end(result: Result<(), hyper::Error>) {
    if let Err(error) = result {
        tracing::debug!(error = %error, "a connection ended early");
    }
}
