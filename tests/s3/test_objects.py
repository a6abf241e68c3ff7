"""Objects as boto3 with its default settings handles them."""
import base64
import datetime
import hashlib
import io
import urllib.error
import urllib.request
import zlib

import pytest
from botocore.exceptions import ClientError


def status(call):
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]


@pytest.mark.parametrize("size", [0, 1, 256, 257, 65536, 65537, 1 << 20, (1 << 20) + 1, 7_654_321])
def test_content_comes_back(s3, bucket, size):
    body = bytes((i * 7 + i // 251) % 256 for i in range(size))
    put = s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert put["ETag"].startswith('"') and put["ETag"].endswith('"')
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body
    assert got["ETag"] == put["ETag"] and got["ContentLength"] == size
    assert got["ServerSideEncryption"] == "aws:kms" and got["SSEKMSKeyId"].startswith("arn:aws:kms:")


def test_a_stream_of_unknown_length_is_stored(s3, bucket):
    body = b"x" * 300_000
    s3.upload_fileobj(io.BytesIO(body), bucket, "k")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_ranges(s3, bucket):
    body = bytes(range(256)) * 8192
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    for header, expected in [
        ("bytes=0-0", body[:1]),
        ("bytes=5-9", body[5:10]),
        ("bytes=65530-65540", body[65530:65541]),
        ("bytes=1000000-", body[1000000:]),
        ("bytes=-7", body[-7:]),
        ("bytes=0-99999999", body),
    ]:
        got = s3.get_object(Bucket=bucket, Key="k", Range=header)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert got["Body"].read() == expected
        assert got["ContentRange"].endswith("/%d" % len(body))
    head = s3.head_object(Bucket=bucket, Key="k", Range="bytes=5-9")
    assert head["ContentLength"] == 5 and head["ResponseMetadata"]["HTTPStatusCode"] == 206
    # An unusable range is ignored where the signature allows it: boto3 signs every header, a presigned URL none.
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    for unusable in ["bytes=0-1,5-6", "bytes=5-2", "nonsense"]:
        reply = urllib.request.urlopen(urllib.request.Request(url, headers={"Range": unusable}))
        assert reply.status == 200 and reply.read() == body
    assert status(lambda: s3.get_object(Bucket=bucket, Key="k", Range="bytes=99999999-")) == (416, "InvalidRange")


def test_conditions(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)
    future = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    get = lambda **more: s3.get_object(Bucket=bucket, Key="k", **more)
    assert get(IfMatch=tag)["Body"].read() == b"1"
    assert get(IfNoneMatch='"x"')["Body"].read() == b"1"
    assert get(IfModifiedSince=past)["Body"].read() == b"1"
    assert status(lambda: get(IfMatch='"x"')) == (412, "PreconditionFailed")
    assert status(lambda: get(IfNoneMatch=tag))[0] == 304
    assert status(lambda: get(IfModifiedSince=future))[0] == 304
    assert status(lambda: get(IfUnmodifiedSince=past)) == (412, "PreconditionFailed")

    put = lambda key, **more: s3.put_object(Bucket=bucket, Key=key, Body=b"2", **more)
    assert status(lambda: put("k", IfNoneMatch="*")) == (412, "PreconditionFailed")
    put("new", IfNoneMatch="*")
    assert status(lambda: put("k", IfMatch='"x"')) == (412, "PreconditionFailed")
    assert status(lambda: put("missing", IfMatch=tag)) == (404, "NoSuchKey")
    put("k", IfMatch=tag)
    assert get()["Body"].read() == b"2" and get()["ETag"] != tag


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_verified_and_kept(s3, bucket, algorithm):
    s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", ChecksumAlgorithm=algorithm)
    field = "Checksum" + algorithm
    value = {
        "CRC32": base64.b64encode(zlib.crc32(b"123456789").to_bytes(4, "big")),
        "SHA1": base64.b64encode(hashlib.sha1(b"123456789").digest()),
        "SHA256": base64.b64encode(hashlib.sha256(b"123456789").digest()),
    }[algorithm].decode()
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[field] == value
    assert head["ChecksumCRC64NVME"] == "rosUhgp5mIg="
    part = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED", Range="bytes=0-3")
    assert field not in part and "ChecksumCRC64NVME" not in part


def test_a_wrong_checksum_stores_nothing(s3, bucket):
    put = lambda **more: s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", **more)
    assert status(lambda: put(ChecksumCRC32="AAAAAA=="))[1] == "BadDigest"
    assert status(lambda: put(ChecksumSHA256=base64.b64encode(bytes(32)).decode()))[1] == "BadDigest"
    assert status(lambda: put(ChecksumCRC64NVME="AAAAAAAAAAA="))[1] == "BadDigest"
    assert status(lambda: put(ContentMD5=base64.b64encode(bytes(16)).decode()))[1] == "BadDigest"
    assert status(lambda: put(ContentMD5="nonsense"))[1] == "InvalidDigest"
    assert status(lambda: s3.head_object(Bucket=bucket, Key="k"))[0] == 404
    put(ChecksumCRC64NVME="rosUhgp5mIg=")


def test_metadata_comes_back(s3, bucket):
    s3.put_object(
        Bucket=bucket, Key="k", Body=b"", ContentType="text/x-y", CacheControl="no-store",
        ContentDisposition='attachment; filename="a"', ContentEncoding="gzip", ContentLanguage="de",
        Expires=datetime.datetime(2030, 1, 1), Metadata={"Mixed": "Value", "mtime": "1595002920.5"},
    )
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["ContentType"] == "text/x-y" and head["CacheControl"] == "no-store"
    assert head["ContentDisposition"] == 'attachment; filename="a"'
    assert head["ContentEncoding"] == "gzip" and head["ContentLanguage"] == "de"
    assert head["ExpiresString"] == "Tue, 01 Jan 2030 00:00:00 GMT"
    assert head["Metadata"] == {"mixed": "Value", "mtime": "1595002920.5"}
    got = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="a/b", ResponseCacheControl="max-age=1")
    assert got["ContentType"] == "a/b" and got["CacheControl"] == "max-age=1"
    s3.put_object(Bucket=bucket, Key="plain", Body=b"")
    assert s3.head_object(Bucket=bucket, Key="plain")["ContentType"] == "binary/octet-stream"


def test_presigned_urls(s3, s3_v4, bucket):
    for client in (s3, s3_v4):
        put = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "p q+r"}, ExpiresIn=60)
        request = urllib.request.Request(put, data=b"content", method="PUT", headers={"Content-Type": ""})
        urllib.request.urlopen(request)
        get = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "p q+r"}, ExpiresIn=60)
        assert urllib.request.urlopen(get).read() == b"content"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(get.replace("p%20q", "x"))
        assert caught.value.code == 403


def test_what_is_not_built_is_refused(s3, bucket):
    put = lambda **more: s3.put_object(Bucket=bucket, Key="k", Body=b"1", **more)
    not_implemented = (501, "NotImplemented")
    assert status(lambda: put(ServerSideEncryption="AES256")) == not_implemented
    assert status(lambda: put(ServerSideEncryption="aws:kms", SSEKMSKeyId="another")) == not_implemented
    assert status(lambda: put(ServerSideEncryption="aws:kms", SSEKMSEncryptionContext="e30=")) == not_implemented
    assert status(lambda: put(ACL="public-read")) == not_implemented
    assert status(lambda: put(Tagging="a=b")) == not_implemented
    assert status(lambda: put(StorageClass="GLACIER")) == not_implemented
    assert status(lambda: put(WebsiteRedirectLocation="/x")) == not_implemented
    assert status(lambda: put(ObjectLockLegalHoldStatus="ON")) == not_implemented
    assert status(lambda: s3.create_multipart_upload(Bucket=bucket, Key="k")) == not_implemented
    assert status(lambda: s3.copy_object(Bucket=bucket, Key="k", CopySource=bucket + "/j")) == not_implemented
    assert status(lambda: s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": []})) == not_implemented
    assert status(lambda: s3.head_object(Bucket=bucket, Key="k"))[0] == 404
    put(ServerSideEncryption="aws:kms")


def test_errors_name_what_is_missing(s3, bucket):
    assert status(lambda: s3.get_object(Bucket=bucket, Key="missing")) == (404, "NoSuchKey")
    assert status(lambda: s3.get_object(Bucket="no-such-bucket", Key="k")) == (404, "NoSuchBucket")
    assert status(lambda: s3.list_objects_v2(Bucket="no-such-bucket")) == (404, "NoSuchBucket")
    assert status(lambda: s3.head_bucket(Bucket="no-such-bucket"))[0] == 404
    s3.delete_object(Bucket=bucket, Key="missing")


def test_a_control_character_poisons_no_listing(s3, bucket):
    assert status(lambda: s3.put_object(Bucket=bucket, Key="a\x01b", Body=b""))[1] == "InvalidArgument"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_keys_at_the_limit(s3, bucket):
    for key in ["x" * 1024, "y" * 1000 + "/" + "z" * 23, "ä" * 512]:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert status(lambda: s3.put_object(Bucket=bucket, Key="x" * 1025, Body=b""))[1] == "KeyTooLongError"
