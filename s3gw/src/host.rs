//! Buckets in the host name: `bucket.domain` for the configured domains, everything else is path style.

use s3s::{
    S3Result,
    host::{S3Host, VirtualHost},
};

/// The domains below which a host name begins with a bucket.
pub(crate) struct Domains(Vec<String>);

impl Domains {
    pub(crate) fn new(domains: &[String]) -> Self {
        Self(domains.iter().map(|domain| normal(domain)).filter(|domain| !domain.is_empty()).collect())
    }

    /// The bucket that a `Host` header names.
    pub(crate) fn bucket_of(&self, host: &str) -> Option<String> {
        let host = normal(host);
        self.0.iter().find_map(|domain| {
            let bucket = host.strip_suffix(domain.as_str())?.strip_suffix('.')?;
            (!bucket.is_empty()).then(|| bucket.to_owned())
        })
    }
}

/// Lower case, without port and trailing dot.
fn normal(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

impl S3Host for Domains {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let virtual_host = VirtualHost::new(host);
        Ok(match self.bucket_of(host) {
            Some(bucket) => virtual_host.with_bucket(bucket),
            None => virtual_host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_below_a_configured_domain_hold_a_bucket() {
        let domains = Domains::new(&["S3.Example.com".to_owned()]);
        for (host, bucket) in [
            ("photos.s3.example.com", Some("photos")),
            ("PHOTOS.S3.EXAMPLE.COM.:9000", Some("photos")),
            ("a.b.s3.example.com:80", Some("a.b")),
            ("s3.example.com:9000", None),
            ("LOCALHOST", None),
            ("xs3.example.com", None),
            ("[::1]:9000", None),
            ("127.0.0.1:9000", None),
            ("", None),
        ] {
            assert_eq!(domains.bucket_of(host).as_deref(), bucket, "{host}");
        }
    }
}
