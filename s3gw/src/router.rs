//! From an HTTP request to its reply: health, guards, `s3s`, and what every reply carries.

use crate::{
    body::RequestBody,
    guard, health,
    reply::{self, Asked, RequestIds},
};
use futures::FutureExt;
use http::{HeaderValue, Method, Request, Version, header};
use hyper::body::Incoming;
use s3s::{Body, HttpResponse, S3Error, S3ErrorCode, service::S3Service};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

/// The outermost service.
pub(crate) struct Router {
    pub(crate) s3: S3Service,
    pub(crate) is_ready: Arc<dyn Fn() -> bool + Send + Sync>,
    pub(crate) ids: RequestIds,
}

impl Router {
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> HttpResponse {
        let started = Instant::now();
        let asked = Asked {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            range: request.headers().get(header::RANGE).cloned(),
            request_id: self.ids.next(),
        };
        let expects_continue = request.headers().contains_key(header::EXPECT);
        let version = request.version();
        let (parts, body) = request.into_parts();
        let (body, rest) = RequestBody::new(body);
        let response = match health::answer(&parts.method, parts.uri.path(), self.is_ready.as_ref()) {
            Some(response) => {
                drop(body);
                response
            }
            None => self.answer_s3(Request::from_parts(parts, body)).await,
        };
        let mut response = reply::finish(response, &asked, &self.ids).await;
        if !rest.drain(expects_continue).await && version < Version::HTTP_2 {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        // Keys are plaintext, so neither path nor query is logged.
        tracing::debug!(
            request_id = asked.request_id,
            method = %asked.method,
            status = response.status().as_u16(),
            micros = started.elapsed().as_micros(),
            "request"
        );
        response
    }

    async fn answer_s3(&self, request: Request<RequestBody>) -> HttpResponse {
        let (mut parts, mut body) = request.into_parts();
        if parts.method == Method::POST && guard::query_has(&parts.uri, "delete") {
            parts.extensions.insert(body.keep());
        }
        if let Err(refused) = guard::admit(&mut parts) {
            return response_of(refused);
        }
        let request = Request::from_parts(parts, Body::http_body_unsync(body));
        match AssertUnwindSafe(self.s3.call(request)).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) | Err(_) => response_of(S3Error::new(S3ErrorCode::InternalError)),
        }
    }
}

fn response_of(error: S3Error) -> HttpResponse {
    error.to_http_response().unwrap_or_else(|_| {
        let mut response = HttpResponse::new(Body::empty());
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
