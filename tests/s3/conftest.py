"""Clients of the gateway at $S3_ENDPOINT, and a fresh bucket for each test."""
import os
import uuid

import boto3
import pytest
from botocore.config import Config


def endpoint():
    return os.environ["S3_ENDPOINT"]


@pytest.fixture(scope="session")
def s3():
    return boto3.client("s3", endpoint_url=endpoint(), region_name="us-east-1")


@pytest.fixture(scope="session")
def s3_v4():
    config = Config(signature_version="s3v4")
    return boto3.client("s3", endpoint_url=endpoint(), region_name="us-east-1", config=config)


def empty(s3, bucket):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [{"Key": entry["Key"]} for entry in page.get("Contents", [])]
        if keys:
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
            assert "Errors" not in answer, answer["Errors"]


@pytest.fixture
def bucket(s3):
    name = "test-" + uuid.uuid4().hex[:12]
    s3.create_bucket(Bucket=name)
    yield name
    empty(s3, name)
    s3.delete_bucket(Bucket=name)
