//! Headers and metadata of objects, in and out.

use super::content_type;
use crate::guard::METADATA_LIMIT_BYTES;
use http::{HeaderName, HeaderValue};
use s3s::dto::{Metadata, PutObjectInput};
use strongroom::fs::ObjectAttributes;

/// What a PUT stores.
pub(crate) fn of_put(input: &PutObjectInput) -> ObjectAttributes {
    ObjectAttributes {
        content_type: input.content_type.clone().filter(|value| !value.is_empty()),
        cache_control: input.cache_control.clone(),
        content_disposition: input.content_disposition.clone(),
        content_encoding: input.content_encoding.as_deref().and_then(without_aws_chunked),
        content_language: input.content_language.clone(),
        expires: input.expires.clone(),
        user: input.metadata.iter().flatten().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect(),
        checksums: std::collections::BTreeMap::new(),
    }
}

/// Content codings without `aws-chunked`, which is how the body was sent and not what it is.
pub(crate) fn without_aws_chunked(value: &str) -> Option<String> {
    let codings = value.split(',').map(str::trim);
    let kept: Vec<&str> =
        codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked")).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// What GET and HEAD tell, with everything left out that no header can carry (POSIX may have written it).
pub(crate) struct Told {
    pub(crate) content_type: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) expires: Option<String>,
    pub(crate) metadata: Option<Metadata>,
    /// Pieces of metadata left out (`x-amz-missing-meta`).
    pub(crate) missing_meta: Option<i32>,
}

impl Told {
    pub(crate) fn of(attributes: &ObjectAttributes, key: &str) -> Self {
        let mut metadata = Metadata::new();
        let (mut total, mut missing) = (0_usize, 0_i32);
        for (name, value) in &attributes.user {
            let bytes = name.len().saturating_add(value.len());
            let fits = total.saturating_add(bytes) <= METADATA_LIMIT_BYTES;
            if fits && HeaderName::try_from(format!("x-amz-meta-{name}")).is_ok() {
                total = total.saturating_add(bytes);
                metadata.insert(name.clone(), value.clone());
            } else {
                missing = missing.saturating_add(1);
            }
        }
        Self {
            content_type: sendable(attributes.content_type.as_ref())
                .or_else(|| Some(content_type::of_key(key).to_owned())),
            cache_control: sendable(attributes.cache_control.as_ref()),
            content_disposition: sendable(attributes.content_disposition.as_ref()),
            content_encoding: sendable(attributes.content_encoding.as_ref()),
            content_language: sendable(attributes.content_language.as_ref()),
            expires: sendable(attributes.expires.as_ref()),
            metadata: (!metadata.is_empty()).then_some(metadata),
            missing_meta: (missing > 0).then_some(missing),
        }
    }
}

fn sendable(value: Option<&String>) -> Option<String> {
    value.filter(|value| HeaderValue::from_bytes(value.as_bytes()).is_ok()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_chunked_is_no_coding_of_the_object() {
        assert_eq!(without_aws_chunked("aws-chunked"), None);
        assert_eq!(without_aws_chunked("aws-chunked,gzip").as_deref(), Some("gzip"));
        assert_eq!(without_aws_chunked("gzip, aws-chunked , br").as_deref(), Some("gzip,br"));
        assert_eq!(without_aws_chunked(""), None);
    }

    #[test]
    fn what_no_header_can_carry_is_left_out_and_counted() {
        let mut attributes = ObjectAttributes { content_type: Some("a\nb".to_owned()), ..ObjectAttributes::default() };
        attributes.user.insert("good".to_owned(), "é".to_owned());
        attributes.user.insert("no name".to_owned(), "x".to_owned());
        attributes.user.insert("long".to_owned(), "x".repeat(3000));
        let told = Told::of(&attributes, "a.txt");
        assert_eq!(told.content_type.as_deref(), Some("text/plain"));
        assert_eq!(told.metadata.unwrap().len(), 1);
        assert_eq!(told.missing_meta, Some(2));
    }
}
