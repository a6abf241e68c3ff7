//! The calls of the control socket.

use super::Administration;
use crate::{call::blocking, s3};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use s3s::S3Error;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use strongroom::{
    admin::control::{BucketLine, BucketList, ErrorReply, FsckRequest, NewBucket, REQUEST_LIMIT_BYTES},
    fs::{Catalog, FsError},
};

/// What the calls reach.
pub(super) struct Routes {
    pub(super) catalog: Arc<Catalog>,
    pub(super) default_key: String,
    pub(super) administration: Arc<dyn Administration>,
}

/// A call.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    Status,
    Buckets,
    NewBucket,
    RemoveBucket(String),
    Fsck,
}

/// An error with its status.
struct Refused(StatusCode, String);

impl From<FsError> for Refused {
    fn from(error: FsError) -> Self {
        let status = match error {
            FsError::NoSuchBucket | FsError::NotFound => StatusCode::NOT_FOUND,
            FsError::BucketExists | FsError::BucketNotEmpty | FsError::Busy(_) => StatusCode::CONFLICT,
            FsError::InvalidName(_) | FsError::InvalidArgument(_) => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<S3Error> for Refused {
    fn from(error: S3Error) -> Self {
        let status = error.status_code().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self(status, error.message().unwrap_or(error.code().as_str()).to_owned())
    }
}

impl Call {
    fn of(method: &Method, path: &str) -> Result<Self, Refused> {
        let known = |wanted: Method, call| {
            if *method == wanted {
                Ok(call)
            } else {
                Err(Refused(StatusCode::METHOD_NOT_ALLOWED, format!("{path} takes {wanted}")))
            }
        };
        match path {
            "/v1/status" => known(Method::GET, Self::Status),
            "/v1/fsck" => known(Method::POST, Self::Fsck),
            "/v1/buckets" if *method == Method::GET => Ok(Self::Buckets),
            "/v1/buckets" => known(Method::POST, Self::NewBucket),
            _ => match path.strip_prefix("/v1/buckets/") {
                Some(name) if !name.is_empty() && !name.contains('/') => {
                    known(Method::DELETE, Self::RemoveBucket(name.to_owned()))
                }
                _ => Err(Refused(StatusCode::NOT_FOUND, format!("no such call: {path}"))),
            },
        }
    }
}

impl Routes {
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.run(request).await {
            Ok(response) => response,
            Err(Refused(status, error)) => json(status, &ErrorReply { error }),
        }
    }

    async fn run(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Refused> {
        let call = Call::of(request.method(), request.uri().path())?;
        let body = Limited::new(request.into_body(), REQUEST_LIMIT_BYTES).collect().await;
        let body =
            body.map_err(|_| Refused(StatusCode::PAYLOAD_TOO_LARGE, "the request's body cannot be read".to_owned()))?;
        let body = body.to_bytes();
        match call {
            Call::Status => {
                let administration = Arc::clone(&self.administration);
                let status = blocking(move || administration.status()).await?.map_err(failed)?;
                Ok(json(StatusCode::OK, &status))
            }
            Call::Buckets => {
                let mut buckets: Vec<BucketLine> = self.catalog.buckets().into_iter().map(Into::into).collect();
                buckets.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(json(StatusCode::OK, &BucketList { buckets }))
            }
            Call::NewBucket => {
                let NewBucket { name } = parse(&body)?;
                s3::bucket::create(&self.catalog, &name, &self.default_key).await?;
                Ok(json(StatusCode::CREATED, &BucketLine::from(self.catalog.bucket(&name)?)))
            }
            Call::RemoveBucket(name) => {
                let catalog = Arc::clone(&self.catalog);
                blocking(move || catalog.remove_bucket(&name)).await??;
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                Ok(response)
            }
            Call::Fsck => {
                let FsckRequest { accept_loss } = if body.is_empty() { FsckRequest::default() } else { parse(&body)? };
                let administration = Arc::clone(&self.administration);
                let report = blocking(move || administration.fsck(&accept_loss)).await?.map_err(failed)?;
                Ok(json(StatusCode::OK, &report))
            }
        }
    }
}

fn failed(message: String) -> Refused {
    Refused(StatusCode::INTERNAL_SERVER_ERROR, message)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body)
        .map_err(|error| Refused(StatusCode::BAD_REQUEST, format!("the request's body: {error}")))
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_everything_else() {
        let call = |method: Method, path| Call::of(&method, path).map_err(|refused| refused.0.as_u16());
        assert_eq!(call(Method::GET, "/v1/status"), Ok(Call::Status));
        assert_eq!(call(Method::GET, "/v1/buckets"), Ok(Call::Buckets));
        assert_eq!(call(Method::POST, "/v1/buckets"), Ok(Call::NewBucket));
        assert_eq!(call(Method::DELETE, "/v1/buckets/a-b"), Ok(Call::RemoveBucket("a-b".to_owned())));
        assert_eq!(call(Method::POST, "/v1/fsck"), Ok(Call::Fsck));
        assert_eq!(call(Method::DELETE, "/v1/buckets/"), Err(404));
        assert_eq!(call(Method::DELETE, "/v1/buckets/a/b"), Err(404));
        assert_eq!(call(Method::GET, "/v2/status"), Err(404));
        assert_eq!(call(Method::PUT, "/v1/fsck"), Err(405));
    }
}
