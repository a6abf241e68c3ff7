//! The S3 operations, translated: each finds its meaning in the core's `fs`.

mod attributes;
pub(crate) mod bucket;
mod checksum;
mod conditions;
mod content_type;
mod delete;
pub(crate) mod encryption;
pub(crate) mod etags;
mod get;
pub(crate) mod key;
mod list;
pub(crate) mod mtime;
mod pool;
mod put;
mod stream;
mod time;
pub(crate) mod token;

pub(crate) use attributes::without_aws_chunked;
pub(crate) use checksum::Expected;
pub(crate) use conditions::of_write;

use crate::{call::Buckets, error::s3_error_of};
use s3s::{
    S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
        DeleteBucketInput, DeleteBucketOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
        DeleteObjectsOutput, GetBucketLocationInput, GetBucketLocationOutput, GetBucketVersioningInput,
        GetBucketVersioningOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput,
        HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
        ListObjectsV2Output, Owner, PutObjectInput, PutObjectOutput,
    },
};
use std::sync::Arc;
use strongroom::fs::Catalog;

/// The one owner of everything, as S3 tells it: SHA-256 of `strongroom owner`.
pub(crate) const OWNER_ID: &str = "6ca2dcdbb7c16ed5b814252ad1d7d10685440c98508de7010f474b4f6d4b6b99";

/// The operations over one store.
pub(crate) struct Objects {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) buckets: Buckets,
    /// EK of new buckets.
    pub(crate) default_key: String,
    /// Access key of the root credentials: the owner's display name.
    pub(crate) owner_name: String,
}

impl Objects {
    fn owner(&self) -> Owner {
        Owner { display_name: Some(self.owner_name.clone()), id: Some(OWNER_ID.to_owned()) }
    }

    /// The EK of a bucket.
    fn key_name(&self, bucket: &str) -> S3Result<String> {
        self.catalog.bucket(bucket).map(|info| info.key_name).map_err(|error| s3_error_of(&error))
    }
}

/// There is one version of each object, called `null`.
fn check_version(version_id: Option<&str>) -> S3Result<()> {
    match version_id {
        None | Some("null") => Ok(()),
        Some(_) => Err(S3Error::new(S3ErrorCode::NoSuchVersion)),
    }
}

#[async_trait::async_trait]
impl S3 for Objects {
    async fn list_buckets(&self, req: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.do_list_buckets(req.input).map(S3Response::new)
    }

    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.do_create_bucket(req.input).await.map(S3Response::new)
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.do_head_bucket(&req.input).map(S3Response::new)
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.do_delete_bucket(req.input).await.map(S3Response::new)
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.key_name(&req.input.bucket)?;
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn get_bucket_versioning(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        self.key_name(&req.input.bucket)?;
        Ok(S3Response::new(GetBucketVersioningOutput::default()))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.do_put_object(req).await.map(S3Response::new)
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.do_get_object(req).await.map(S3Response::new)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.do_head_object(req).await.map(S3Response::new)
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.do_delete_object(req).await.map(S3Response::new)
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.do_delete_objects(req).await.map(S3Response::new)
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        self.do_list_objects(req.input).await.map(S3Response::new)
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.do_list_objects_v2(req.input).await.map(S3Response::new)
    }

    async fn create_multipart_upload(
        &self,
        _req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let message = "multipart uploads are not implemented by this version; \
                       raise the client's multipart threshold, one PUT takes up to 5 GiB";
        Err(S3Error::with_message(S3ErrorCode::NotImplemented, message))
    }
}
