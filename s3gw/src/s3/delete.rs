//! DELETE of one object, and of many.

use super::{Objects, check_version, checksum, conditions};
use crate::{
    body::Kept,
    call::{blocking, durable},
    error::s3_error_of,
};
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Result,
    dto::{
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error,
        ObjectIdentifier,
    },
};
use std::sync::Arc;
use strongroom::{
    bucket::Number,
    fs::{Conditions, FsError, Namespace},
};

/// Most objects of one DeleteObjects.
const BATCH_LIMIT: usize = 1000;

impl Objects {
    pub(super) async fn do_delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<DeleteObjectOutput> {
        let input = req.input;
        check_version(input.version_id.as_deref())?;
        let conditions = Conditions { must_not_exist: false, ..conditions::of_write(&req.headers)? };
        let namespace = self.buckets.namespace(&input.bucket).await?;
        let deleting = Arc::clone(&namespace);
        let number = blocking(move || delete(&deleting, &input.key, &conditions)).await??;
        if let Some(number) = number {
            durable(&namespace, number).await?;
        }
        Ok(DeleteObjectOutput::default())
    }

    pub(super) async fn do_delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<DeleteObjectsOutput> {
        let input = req.input;
        let objects = input.delete.objects;
        if objects.is_empty() || objects.len() > BATCH_LIMIT {
            return Err(S3Error::new(S3ErrorCode::MalformedXML));
        }
        if let Some(kept) = req.extensions.get::<Arc<Kept>>() {
            checksum::verify_document(&req.headers, &kept.pieces())?;
        }
        let quiet = input.delete.quiet.unwrap_or(false);
        let namespace = self.buckets.namespace(&input.bucket).await?;
        let deleting = Arc::clone(&namespace);
        let (deleted, errors, last) = blocking(move || delete_all(&deleting, objects)).await?;
        if let Some(number) = last {
            durable(&namespace, number).await?;
        }
        Ok(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: (!errors.is_empty()).then_some(errors),
            ..DeleteObjectsOutput::default()
        })
    }
}

/// Deletes one object; one that is missing is deleted already (R21). Returns the number to wait for.
fn delete(namespace: &Namespace, key: &str, conditions: &Conditions) -> S3Result<Option<Number>> {
    match namespace.delete_object(key.as_bytes(), conditions) {
        Ok(done) => Ok(Some(done.number)),
        Err(FsError::NotFound) => Ok(None),
        Err(error) => Err(s3_error_of(&error)),
    }
}

fn delete_all(
    namespace: &Namespace,
    objects: Vec<ObjectIdentifier>,
) -> (Vec<DeletedObject>, Vec<Error>, Option<Number>) {
    let (mut deleted, mut errors, mut last) = (Vec::new(), Vec::new(), None);
    for object in objects {
        match delete_identified(namespace, &object) {
            Ok(number) => {
                last = last.max(number);
                deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
            }
            Err(error) => errors.push(Error {
                code: Some(error.code().as_str().to_owned()),
                key: Some(object.key),
                message: error.message().map(str::to_owned),
                version_id: object.version_id,
            }),
        }
    }
    (deleted, errors, last)
}

fn delete_identified(namespace: &Namespace, object: &ObjectIdentifier) -> S3Result<Option<Number>> {
    check_version(object.version_id.as_deref())?;
    if object.last_modified_time.is_some() || object.size.is_some() {
        let message = "conditions on size or time of a delete are not implemented by this version";
        return Err(S3Error::with_message(S3ErrorCode::NotImplemented, message));
    }
    let must_match = object.e_tag.as_ref().map(|tag| vec![tag.value().to_owned()]);
    delete(namespace, &object.key, &Conditions { must_not_exist: false, must_match })
}
