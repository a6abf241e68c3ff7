//! A request's body that remembers whether it was read to its end, and gives up on a client that has gone silent.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use s3s::StdError;
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// Longest silence within a body.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// What is read of a body that nobody wanted, so that the connection can be used again.
const DRAIN_LIMIT_BYTES: usize = 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The client sent nothing for a minute in the midst of a body.
#[derive(Debug, thiserror::Error)]
#[error("the client sent nothing of the body for {} s", SILENCE_LIMIT.as_secs())]
pub(crate) struct Silence;

/// See the module.
pub(crate) struct RequestBody {
    inner: Option<Incoming>,
    rest: Arc<BodyRest>,
    deadline: Option<Pin<Box<Sleep>>>,
    kept: Option<Arc<Kept>>,
}

/// What is left of a body when its reader has dropped it.
#[derive(Default)]
pub(crate) struct BodyRest {
    left: Mutex<Option<Incoming>>,
    touched: AtomicBool,
}

impl RequestBody {
    pub(crate) fn new(inner: Incoming) -> (Self, Arc<BodyRest>) {
        let rest = Arc::new(BodyRest::default());
        (Self { inner: Some(inner), rest: Arc::clone(&rest), deadline: None, kept: None }, rest)
    }

    /// Keeps what goes by, for documents only.
    pub(crate) fn keep(&mut self) -> Arc<Kept> {
        Arc::clone(self.kept.get_or_insert_default())
    }
}

impl BodyRest {
    /// Reads a bounded rest of the body; returns whether the connection can carry another request.
    ///
    /// A client that waits for `100 Continue` has sent nothing, and must not be asked to by reading.
    pub(crate) async fn drain(&self, expects_continue: bool) -> bool {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut body) = left else {
            return true;
        };
        if expects_continue && !self.touched.load(Ordering::Relaxed) {
            return false;
        }
        let drained = async {
            let mut bytes = 0_usize;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else {
                    return false;
                };
                bytes = bytes.saturating_add(frame.data_ref().map_or(0, Bytes::len));
                if bytes > DRAIN_LIMIT_BYTES {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(DRAIN_TIME, drained).await.unwrap_or(false)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let Some(inner) = self.inner.as_mut() else {
            return Poll::Ready(None);
        };
        match Pin::new(inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.deadline = None;
                match &frame {
                    Some(Ok(frame)) => {
                        self.rest.touched.store(true, Ordering::Relaxed);
                        if let (Some(kept), Some(bytes)) = (&self.kept, frame.data_ref()) {
                            kept.keep(bytes);
                        }
                    }
                    // An error ends the connection, so there is nothing to drain.
                    Some(Err(_)) | None => self.inner = None,
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let deadline = self
                    .deadline
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + SILENCE_LIMIT)));
                match deadline.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(Box::new(Silence)))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take()
            && !inner.is_end_stream()
        {
            *self.rest.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(inner);
        }
    }
}

/// The bytes of a document as they went by, to verify its checksums: `s3s` parses it and keeps no copy.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Vec<Bytes>>);

impl Kept {
    fn keep(&self, bytes: &Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // `s3s` refuses documents beyond its limit, so what is not kept is never verified.
        if kept.iter().map(Bytes::len).sum::<usize>() <= crate::gateway::DOCUMENT_LIMIT_BYTES {
            kept.push(bytes.clone());
        }
    }

    /// The pieces so far.
    pub(crate) fn pieces(&self) -> Vec<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
