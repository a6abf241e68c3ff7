//! Buckets: list, create, head, delete.

use super::{Objects, time::timestamp};
use crate::{call::blocking, error::s3_error_of, guard::REGION};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    dto::{
        Bucket, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput, HeadBucketInput,
        HeadBucketOutput, ListBucketsInput, ListBucketsOutput,
    },
};
use std::sync::Arc;
use strongroom::{
    clock::{Clock, SystemClock},
    fs::{Catalog, FsError, RootAttributes},
};

/// Names that paths outside of S3 begin with.
const RESERVED: [&str; 1] = ["minio"];
const LIST_LIMIT: i32 = 10_000;

impl Objects {
    pub(super) fn do_list_buckets(&self, input: ListBucketsInput) -> S3Result<ListBucketsOutput> {
        let most = match input.max_buckets {
            None => LIST_LIMIT,
            Some(most @ 1..=LIST_LIMIT) => most,
            Some(_) => return Err(S3Error::new(S3ErrorCode::InvalidArgument)),
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let after = match input.continuation_token.as_deref() {
            None => None,
            Some(token) => match super::token::decode(token) {
                Some(strongroom::fs::ListFrom::AfterKey(name)) => Some(name),
                _ => {
                    return Err(S3Error::with_message(
                        S3ErrorCode::InvalidArgument,
                        "the continuation token is not ours",
                    ));
                }
            },
        };
        let prefix = input.prefix.as_deref().unwrap_or("");
        let here = input.bucket_region.as_deref().is_none_or(|region| region == REGION);
        let mut found = self.catalog.buckets();
        found.retain(|info| {
            here && info.name.starts_with(prefix)
                && after.as_ref().is_none_or(|after| info.name.as_bytes() > after.as_slice())
        });
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let more = found.len() > most;
        found.truncate(most);
        let last = found.last().filter(|_| more).map(|info| info.name.clone().into_bytes());
        let buckets = found.into_iter().map(|info| Bucket {
            creation_date: Some(timestamp(info.created)),
            name: Some(info.name),
            ..Bucket::default()
        });
        Ok(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            continuation_token: last.and_then(|name| super::token::encode(&strongroom::fs::ListFrom::AfterKey(name))),
            owner: Some(self.owner()),
            prefix: input.prefix,
        })
    }

    pub(super) async fn do_create_bucket(&self, input: CreateBucketInput) -> S3Result<CreateBucketOutput> {
        let name = input.bucket;
        if let Some(configuration) = &input.create_bucket_configuration
            && (configuration.tags.as_ref().is_some_and(|tags| !tags.is_empty())
                || configuration.bucket.is_some()
                || configuration.location.is_some())
        {
            let message =
                "the bucket configuration asks for tags or a directory bucket, which this version does not implement";
            return Err(S3Error::with_message(S3ErrorCode::NotImplemented, message));
        }
        create(&self.catalog, &name, &self.default_key).await?;
        Ok(CreateBucketOutput { location: Some(format!("/{name}")), ..CreateBucketOutput::default() })
    }

    pub(super) fn do_head_bucket(&self, input: &HeadBucketInput) -> S3Result<HeadBucketOutput> {
        self.key_name(&input.bucket)?;
        Ok(HeadBucketOutput { bucket_region: Some(REGION.to_owned()), ..HeadBucketOutput::default() })
    }

    pub(super) async fn do_delete_bucket(&self, input: DeleteBucketInput) -> S3Result<DeleteBucketOutput> {
        let catalog = Arc::clone(&self.catalog);
        blocking(move || catalog.remove_bucket(&input.bucket)).await?.map_err(|error| s3_error_of(&error))?;
        Ok(DeleteBucketOutput {})
    }
}

/// Makes a bucket that belongs to the daemon's user (DESIGN 5), for S3 and the control socket alike.
pub(crate) async fn create(catalog: &Arc<Catalog>, name: &str, default_key: &str) -> S3Result<()> {
    if RESERVED.contains(&name) {
        return Err(S3Error::with_message(S3ErrorCode::InvalidBucketName, "the name is reserved"));
    }
    let (catalog, name, key) = (Arc::clone(catalog), name.to_owned(), default_key.to_owned());
    let made = blocking(move || {
        let root = RootAttributes {
            mode: 0o755,
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            ctime: SystemClock.now(),
            xattrs: std::collections::BTreeMap::new(),
        };
        catalog.create_bucket(&name, root, &key)
    });
    match made.await? {
        Ok(_) => Ok(()),
        Err(error @ FsError::InvalidName(_)) => {
            Err(S3Error::with_message(S3ErrorCode::InvalidBucketName, error.to_string()))
        }
        Err(error) => Err(s3_error_of(&error)),
    }
}
