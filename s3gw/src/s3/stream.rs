//! The body of a GET: pieces read on the blocking pool, one ahead of what is being sent.

use super::pool::{Buffer, PIECE_BYTES};
use crate::{
    call::blocking,
    error::{call_lost, s3_error_of},
};
use bytes::Bytes;
use futures::Stream;
use s3s::{
    S3Result, StdError,
    dto::StreamingBlob,
    stream::{ByteStream, RemainingLength},
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use strongroom::fs::{FsError, FsResult, ObjectReader};
use tokio::task::JoinHandle;

/// Objects up to this length are read where the request runs: decrypting them costs less than another thread's wake-up.
const DIRECT_LIMIT_BYTES: u64 = 64 * 1024;

/// Opens the body of `range`. The first piece is read before this returns, so that an object that cannot be read is
/// answered by an error and not by a broken connection.
pub(crate) async fn open(reader: ObjectReader, range: std::ops::Range<u64>) -> S3Result<StreamingBlob> {
    let reader = Arc::new(reader);
    let length = range.end.saturating_sub(range.start);
    if length <= DIRECT_LIMIT_BYTES {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        read_exactly(&reader, range.start, &mut bytes).map_err(|error| s3_error_of(&error))?;
        return Ok(StreamingBlob::from_bytes(Bytes::from(bytes)));
    }
    let first = {
        let (reader, range) = (Arc::clone(&reader), range.clone());
        blocking(move || read_piece(&reader, &range)).await?.map_err(|error| s3_error_of(&error))?
    };
    Ok(StreamingBlob::new(ObjectStream { reader, left: range, ready: Some(first), ahead: None }))
}

fn read_exactly(reader: &ObjectReader, offset: u64, buffer: &mut [u8]) -> FsResult<()> {
    let mut done = 0_usize;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let count = reader.read_at(offset.saturating_add(done as u64), rest)?;
        if count == 0 {
            return Err(FsError::Damaged("an object ends before its size".into()));
        }
        done = done.saturating_add(count);
    }
    Ok(())
}

/// Reads from the start of `range` to the next multiple of the piece length, so that later pieces are aligned.
fn read_piece(reader: &ObjectReader, range: &std::ops::Range<u64>) -> FsResult<Bytes> {
    let piece = PIECE_BYTES as u64;
    let boundary = (range.start / piece).saturating_add(1).saturating_mul(piece);
    let length = boundary.min(range.end).saturating_sub(range.start);
    let length = usize::try_from(length).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
    let mut buffer = Buffer::take();
    read_exactly(reader, range.start, buffer.room(length))?;
    Ok(buffer.freeze(length))
}

struct ObjectStream {
    reader: Arc<ObjectReader>,
    /// What has not been handed out.
    left: std::ops::Range<u64>,
    ready: Option<Bytes>,
    ahead: Option<JoinHandle<FsResult<Bytes>>>,
}

impl ObjectStream {
    /// Hands `piece` out and begins to read the next.
    fn hand_out(&mut self, piece: Bytes) -> Bytes {
        self.left.start = self.left.start.saturating_add(piece.len() as u64);
        if !self.left.is_empty() {
            let (reader, range) = (Arc::clone(&self.reader), self.left.clone());
            self.ahead = Some(tokio::task::spawn_blocking(move || read_piece(&reader, &range)));
        }
        piece
    }
}

impl Stream for ObjectStream {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(piece) = self.ready.take() {
            return Poll::Ready(Some(Ok(self.hand_out(piece))));
        }
        let Some(ahead) = self.ahead.as_mut() else {
            return Poll::Ready(None);
        };
        match Pin::new(ahead).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(read) => {
                self.ahead = None;
                Poll::Ready(Some(match read {
                    Ok(Ok(piece)) => Ok(self.hand_out(piece)),
                    Ok(Err(error)) => {
                        tracing::error!(%error, "an object could not be read to its end");
                        Err(Box::new(error))
                    }
                    Err(_) => Err(Box::new(call_lost())),
                }))
            }
        }
    }
}

impl ByteStream for ObjectStream {
    fn remaining_length(&self) -> RemainingLength {
        let left = self.left.end.saturating_sub(self.left.start);
        usize::try_from(left).map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}
