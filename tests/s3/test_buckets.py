"""Buckets, health, and signatures."""
import os
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError


def status(call):
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]


def test_a_bucket_lives(s3):
    s3.create_bucket(Bucket="life-of-a-bucket")
    assert status(lambda: s3.create_bucket(Bucket="life-of-a-bucket")) == (409, "BucketAlreadyOwnedByYou")
    head = s3.head_bucket(Bucket="life-of-a-bucket")
    assert head["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket="life-of-a-bucket")["LocationConstraint"] is None
    assert "Status" not in s3.get_bucket_versioning(Bucket="life-of-a-bucket")
    listed = s3.list_buckets()
    assert "life-of-a-bucket" in [entry["Name"] for entry in listed["Buckets"]]
    s3.put_object(Bucket="life-of-a-bucket", Key="k", Body=b"")
    assert status(lambda: s3.delete_bucket(Bucket="life-of-a-bucket")) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket="life-of-a-bucket", Key="k")
    s3.delete_bucket(Bucket="life-of-a-bucket")
    assert status(lambda: s3.head_bucket(Bucket="life-of-a-bucket"))[0] == 404


def test_buckets_are_listed_in_pages(s3):
    names = ["page-of-buckets-%d" % i for i in range(5)]
    for name in names:
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix="page-of-", PaginationConfig={"PageSize": 2})
    assert [entry["Name"] for page in pages for entry in page["Buckets"]] == names
    for name in names:
        s3.delete_bucket(Bucket=name)


@pytest.mark.parametrize("name", ["minio", "192.168.0.1", "a..b", "-ab", "xn--a"])
def test_bad_names_are_refused(s3, name):
    assert status(lambda: s3.create_bucket(Bucket=name))[1] == "InvalidBucketName"


def test_health_needs_no_signature():
    for name in ["live", "ready", "cluster", "cluster/read"]:
        url = os.environ["S3_ENDPOINT"] + "/minio/health/" + name
        reply = urllib.request.urlopen(url)
        assert reply.status == 200 and reply.headers["x-amz-request-id"]


def client(**more):
    more.setdefault("region_name", "us-east-1")
    more.setdefault("aws_access_key_id", os.environ["AWS_ACCESS_KEY_ID"])
    more.setdefault("aws_secret_access_key", os.environ["AWS_SECRET_ACCESS_KEY"])
    return boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], **more)


def test_who_may_not_sign_is_told_why():
    assert status(client(aws_access_key_id="nobody").list_buckets) == (403, "InvalidAccessKeyId")
    assert status(client(aws_secret_access_key="wrong").list_buckets) == (403, "SignatureDoesNotMatch")
    token = client(aws_session_token="token")
    assert status(token.list_buckets)[1] == "InvalidToken"


def test_any_region_will_do():
    for region in ["us-east-1", "eu-central-1", "auto", "garage"]:
        client(region_name=region).list_buckets()


def test_unsigned_trailers_and_signed_payloads(bucket):
    for payload_signing in (True, False):
        config = Config(s3={"payload_signing_enabled": payload_signing})
        s3 = client(config=config)
        s3.put_object(Bucket=bucket, Key="k", Body=b"12345")
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"12345"
