"""Listings: order, encoding, pages, delimiters."""
import pytest

ODD = [
    "a", "a/", "a/b", "a//b", "a/./b", "a/../b", "a-b", "a.b", "a0", "a+b", "a b", "a%20b", "a%2Fb", "/lead", "//two",
    "trail//", "foo/x", "foo+1/x", "foo-bar", "foo", "é", "e\u0301", "ÿ", "日本/語", "😀", "\\back\\slash", "quote'\"",
    "<xml>&amp;", "tab\there", "line\nfeed", "cr\rhere", ".", "..", "./x", "../x", "~", "*?[]", "semi;colon", "=eq&amp",
    "#hash", "A", "\x7fdel", " ", "  lead", "trail ",
]


@pytest.fixture
def odd(s3, bucket):
    for key in ODD:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def in_order(keys):
    return sorted(keys, key=str.encode)


def keys_of(pages):
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@pytest.mark.parametrize("call", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_odd_keys_are_listed_in_byte_order(s3, odd, call, size):
    pages = s3.get_paginator(call).paginate(Bucket=odd, PaginationConfig={"PageSize": size})
    assert keys_of(pages) == in_order(ODD)


def test_odd_keys_hold_their_own_content(s3, odd):
    for key in ODD:
        assert s3.get_object(Bucket=odd, Key=key)["Body"].read() == key.encode(), key


def rolled_up(keys, prefix, delimiter):
    objects, prefixes = [], []
    for key in in_order(keys):
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix):]
        if delimiter in rest:
            common = prefix + rest[: rest.index(delimiter) + len(delimiter)]
            if common not in prefixes:
                prefixes.append(common)
        else:
            objects.append(key)
    return objects, prefixes


@pytest.mark.parametrize("call", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("prefix,delimiter", [
    ("", "/"), ("a/", "/"), ("a", "/"), ("", "-"), ("foo", "/"), ("", "//"), ("a/", "b"), ("", "oo"), ("/", "/"),
])
def test_delimiters_roll_up(s3, odd, call, size, prefix, delimiter):
    pages = list(s3.get_paginator(call).paginate(
        Bucket=odd, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size}))
    prefixes = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
    assert (keys_of(pages), prefixes) == rolled_up(ODD, prefix, delimiter)
    for page in pages[:-1]:
        assert len(page.get("Contents", [])) + len(page.get("CommonPrefixes", [])) == size


def test_start_after(s3, odd):
    ordered = in_order(ODD)
    for after in ["", "a", "a/", "a/b", "a/zzz", "foo", "zzz", "\x7f"]:
        listed = keys_of([s3.list_objects_v2(Bucket=odd, StartAfter=after)])
        assert listed == [key for key in ordered if key.encode() > after.encode()], after


def test_the_fields_of_a_page(s3, bucket):
    for name in "abc":
        s3.put_object(Bucket=bucket, Key=name, Body=b"12")
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=2, FetchOwner=True)
    assert page["KeyCount"] == 2 and page["MaxKeys"] == 2 and page["IsTruncated"]
    entry = page["Contents"][0]
    head = s3.head_object(Bucket=bucket, Key="a")
    assert entry["Size"] == 2 and entry["ETag"] == head["ETag"] and entry["StorageClass"] == "STANDARD"
    assert entry["LastModified"].replace(microsecond=0) == head["LastModified"]
    assert entry["Owner"]["ID"] == s3.list_buckets()["Owner"]["ID"]
    nothing = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert nothing["KeyCount"] == 0 and not nothing["IsTruncated"]
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    assert "Delimiter" not in s3.list_objects_v2(Bucket=bucket, Delimiter="")


def test_a_page_goes_on_where_it_ended_though_keys_went(s3, bucket):
    for name in "abcdef":
        s3.put_object(Bucket=bucket, Key=name, Body=b"")
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=2)
    for name in "abc":
        s3.delete_object(Bucket=bucket, Key=name)
    rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=page["NextContinuationToken"])
    assert keys_of([rest]) == ["d", "e", "f"]


def test_a_directory_marker_holds_content(s3, bucket):
    s3.put_object(Bucket=bucket, Key="d/", Body=b"marker")
    s3.put_object(Bucket=bucket, Key="d/x", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="d/")["Body"].read() == b"marker"
    assert keys_of([s3.list_objects_v2(Bucket=bucket)]) == ["d/", "d/x"]
    s3.delete_object(Bucket=bucket, Key="d/")
    assert keys_of([s3.list_objects_v2(Bucket=bucket)]) == ["d/x"]
    s3.delete_object(Bucket=bucket, Key="d/x")
    assert keys_of([s3.list_objects_v2(Bucket=bucket)]) == []
