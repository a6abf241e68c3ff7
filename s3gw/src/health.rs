//! Health: unsigned, cheap, and answered before anything else is looked at.

use http::{Method, StatusCode, header};
use s3s::{Body, HttpResponse};

/// The answer, if `path` is one of health's.
pub(crate) fn answer(method: &Method, path: &str, is_ready: &(dyn Fn() -> bool + Send + Sync)) -> Option<HttpResponse> {
    let status = match path {
        "/minio/health/live" => StatusCode::OK,
        "/minio/health/ready" | "/minio/health/cluster" | "/minio/health/cluster/read" => {
            if is_ready() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
        _ => return None,
    };
    let status = if matches!(*method, Method::GET | Method::HEAD) { status } else { StatusCode::METHOD_NOT_ALLOWED };
    let mut response = HttpResponse::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_LENGTH, 0.into());
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_not_ready_is_alive() {
        let status = |path| answer(&Method::GET, path, &|| false).map(|response| response.status().as_u16());
        assert_eq!(status("/minio/health/live"), Some(200));
        assert_eq!(status("/minio/health/ready"), Some(503));
        assert_eq!(status("/minio/health/cluster"), Some(503));
        assert_eq!(status("/minio/health/cluster/read"), Some(503));
        assert_eq!(status("/minio/health"), None);
        assert_eq!(answer(&Method::HEAD, "/minio/health/ready", &|| true).unwrap().status(), 200);
        assert_eq!(answer(&Method::PUT, "/minio/health/live", &|| true).unwrap().status(), 405);
    }
}
