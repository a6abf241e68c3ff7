//! Listings, version 1 and 2: the same cursor, two dialects.

use super::{OWNER_ID, Objects, key::url_encoded, time::timestamp, token};
use crate::{call::blocking, error::s3_error_of};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    dto::{
        CommonPrefix, ETag, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
        Object, ObjectStorageClass, Owner,
    },
};
use strongroom::fs::{ListEntry, ListFrom, ListPage, ListRequest};

const PAGE_LIMIT: i32 = 1000;

/// How names are written.
#[derive(Clone, Copy)]
struct Encoding {
    url: bool,
}

impl Encoding {
    fn of(encoding_type: Option<&EncodingType>) -> S3Result<Self> {
        match encoding_type.map(EncodingType::as_str) {
            None => Ok(Self { url: false }),
            Some(EncodingType::URL) => Ok(Self { url: true }),
            Some(_) => {
                let message = "Invalid Encoding Method specified in Request";
                Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
            }
        }
    }

    fn text(self, text: &str) -> String {
        if self.url { url_encoded(text) } else { text.to_owned() }
    }

    fn bytes(self, bytes: &[u8]) -> String {
        self.text(&String::from_utf8_lossy(bytes))
    }

    fn told(self) -> Option<EncodingType> {
        self.url.then(|| EncodingType::from_static(EncodingType::URL))
    }
}

/// The number of entries to give: more than 1000 are 1000.
fn page_size(max_keys: Option<i32>) -> S3Result<i32> {
    match max_keys {
        None => Ok(PAGE_LIMIT),
        Some(0..) => Ok(max_keys.unwrap_or(PAGE_LIMIT).min(PAGE_LIMIT)),
        Some(_) => {
            let message = "Argument maxKeys must be an integer between 0 and 2147483647";
            Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
        }
    }
}

/// Where `start-after` or `marker` begins. One that names a whole common prefix stands behind all of it: so goes on
/// whoever passes the `NextMarker` of the page before.
fn from_marker(marker: Option<&str>, prefix: &str, delimiter: &str) -> ListFrom {
    let Some(marker) = marker.filter(|marker| !marker.is_empty()) else {
        return ListFrom::Start;
    };
    let rolled = marker
        .strip_prefix(prefix)
        .and_then(|rest| rest.split_once(delimiter))
        .is_some_and(|(_, rest)| rest.is_empty());
    if rolled && !delimiter.is_empty() {
        ListFrom::AfterPrefix(marker.as_bytes().to_vec())
    } else {
        ListFrom::AfterKey(marker.as_bytes().to_vec())
    }
}

/// A page in S3's words.
struct Lines {
    objects: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
    next: Option<ListFrom>,
}

impl Lines {
    fn of(page: ListPage, encoding: Encoding, owner: Option<&Owner>) -> Self {
        let mut lines = Self { objects: Vec::new(), prefixes: Vec::new(), next: page.next };
        for entry in page.entries {
            match entry {
                ListEntry::Object { key, info } => lines.objects.push(Object {
                    e_tag: Some(ETag::Strong(info.etag.to_string())),
                    key: Some(encoding.bytes(&key)),
                    last_modified: Some(timestamp(info.last_modified)),
                    owner: owner.cloned(),
                    size: i64::try_from(info.size).ok(),
                    storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                    ..Object::default()
                }),
                ListEntry::CommonPrefix(prefix) => {
                    lines.prefixes.push(CommonPrefix { prefix: Some(encoding.bytes(&prefix)) });
                }
            }
        }
        lines
    }
}

impl Objects {
    async fn page(&self, bucket: &str, request: ListRequest) -> S3Result<ListPage> {
        let namespace = self.buckets.namespace(bucket).await?;
        if request.max_entries == 0 {
            return Ok(ListPage::default());
        }
        blocking(move || namespace.list(&request)).await?.map_err(|error| s3_error_of(&error))
    }

    pub(super) async fn do_list_objects_v2(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        let max_keys = page_size(input.max_keys)?;
        let prefix = input.prefix.unwrap_or_default();
        let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
        let from = match input.continuation_token.as_deref() {
            Some(given) => token::decode(given).ok_or_else(|| {
                S3Error::with_message(S3ErrorCode::InvalidArgument, "The continuation token provided is incorrect")
            })?,
            None => from_marker(input.start_after.as_deref(), &prefix, delimiter.as_deref().unwrap_or("")),
        };
        let request = request(&prefix, delimiter.as_deref(), from, max_keys);
        let page = self.page(&input.bucket, request).await?;
        let owner = input.fetch_owner.unwrap_or(false).then(|| self.owner());
        let lines = Lines::of(page, encoding, owner.as_ref());
        let count = lines.objects.len().saturating_add(lines.prefixes.len());
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encoding.text(&prefix)),
            max_keys: Some(max_keys),
            key_count: i32::try_from(count).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(lines.next.is_some()),
            next_continuation_token: lines.next.as_ref().and_then(token::encode),
            contents: Some(lines.objects),
            common_prefixes: Some(lines.prefixes),
            delimiter: delimiter.map(|delimiter| encoding.text(&delimiter)),
            encoding_type: encoding.told(),
            start_after: input.start_after.map(|after| encoding.text(&after)),
            ..ListObjectsV2Output::default()
        })
    }

    pub(super) async fn do_list_objects(&self, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        let max_keys = page_size(input.max_keys)?;
        let prefix = input.prefix.unwrap_or_default();
        let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
        let from = from_marker(input.marker.as_deref(), &prefix, delimiter.as_deref().unwrap_or(""));
        let request = request(&prefix, delimiter.as_deref(), from, max_keys);
        let page = self.page(&input.bucket, request).await?;
        let owner = Owner { display_name: Some(self.owner_name.clone()), id: Some(OWNER_ID.to_owned()) };
        let lines = Lines::of(page, encoding, Some(&owner));
        let next_marker = match (&lines.next, &delimiter) {
            (Some(ListFrom::AfterKey(place) | ListFrom::AfterPrefix(place)), Some(_)) => Some(encoding.bytes(place)),
            _ => None,
        };
        Ok(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encoding.text(&prefix)),
            marker: Some(encoding.text(input.marker.as_deref().unwrap_or(""))),
            max_keys: Some(max_keys),
            is_truncated: Some(lines.next.is_some()),
            contents: Some(lines.objects),
            common_prefixes: Some(lines.prefixes),
            delimiter: delimiter.map(|delimiter| encoding.text(&delimiter)),
            next_marker,
            encoding_type: encoding.told(),
            ..ListObjectsOutput::default()
        })
    }
}

fn request(prefix: &str, delimiter: Option<&str>, from: ListFrom, max_keys: i32) -> ListRequest {
    ListRequest {
        prefix: prefix.as_bytes().to_vec(),
        delimiter: delimiter.unwrap_or("").as_bytes().to_vec(),
        from,
        max_entries: usize::try_from(max_keys).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_that_is_a_common_prefix_stands_behind_it() {
        let key = |key: &str| ListFrom::AfterKey(key.as_bytes().to_vec());
        let prefix = |key: &str| ListFrom::AfterPrefix(key.as_bytes().to_vec());
        assert_eq!(from_marker(None, "", "/"), ListFrom::Start);
        assert_eq!(from_marker(Some(""), "", "/"), ListFrom::Start);
        assert_eq!(from_marker(Some("a/"), "", "/"), prefix("a/"));
        assert_eq!(from_marker(Some("a/"), "", ""), key("a/"));
        assert_eq!(from_marker(Some("a/b"), "", "/"), key("a/b"));
        assert_eq!(from_marker(Some("a/"), "a/", "/"), key("a/"));
        assert_eq!(from_marker(Some("a/b/"), "a/", "/"), prefix("a/b/"));
        assert_eq!(from_marker(Some("a/b/c/"), "a/", "/"), key("a/b/c/"));
    }

    #[test]
    fn page_sizes_are_clamped() {
        assert_eq!(page_size(None).unwrap(), 1000);
        assert_eq!(page_size(Some(5000)).unwrap(), 1000);
        assert_eq!(page_size(Some(0)).unwrap(), 0);
        assert!(page_size(Some(-1)).is_err());
    }
}
