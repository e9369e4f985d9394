"""Buckets and listings through boto3."""

import uuid

import pytest
from botocore.exceptions import ClientError

from support.raw import request
from support.server import Endpoint


def code(error) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def name(s3):
    name = f"test-{uuid.uuid4().hex[:16]}"
    yield name
    try:
        s3.delete_bucket(Bucket=name)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchBucket"


def test_life_of_a_bucket(s3, name):
    s3.create_bucket(Bucket=name)
    s3.head_bucket(Bucket=name)
    assert name in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    # us-east-1 is told by an empty element.
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket=name)
    assert code(error) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket=name)
    assert code(error) == ("NoSuchBucket", 404)
    with pytest.raises(ClientError) as error:
        s3.head_bucket(Bucket=name)
    assert code(error) == ("404", 404)
    for call in (s3.list_objects_v2, s3.list_objects, s3.list_multipart_uploads, s3.list_object_versions):
        with pytest.raises(ClientError) as error:
            call(Bucket=name)
        assert code(error) == ("NoSuchBucket", 404)


def test_creating_ones_own_bucket_again_is_harmless_in_us_east_1(s3, name):
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    try:
        s3.create_bucket(Bucket=name)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "BucketAlreadyOwnedByYou"
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"x"
    s3.delete_object(Bucket=name, Key="k")


def keys_for(bucket, s3):
    keys = [f"{study}/{series}/{slice:02}" for study in "abc" for series in "xyz" for slice in range(4)]
    keys += ["top", "a", "a/", "b-", "b0", "é/1", "画/1", "~"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    return sorted(keys, key=lambda key: key.encode())


def model(keys, prefix="", delimiter="", after=""):
    """What S3 lists, in order: `("key", name)` and `("prefix", name)`."""
    entries = []
    for key in keys:
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix):]
        entry = ("key", key)
        if delimiter and delimiter in rest:
            entry = ("prefix", prefix + rest.split(delimiter)[0] + delimiter)
        if entry[1].encode() > after.encode() and entry not in entries:
            entries.append(entry)
    return entries


CASES = [("", ""), ("", "/"), ("a/", "/"), ("a", "/"), ("a/x", "/"), ("a/x/", "/"), ("b", ""), ("é", "/"),
         ("none", "/"), ("", "x/"), ("", "0"), ("top", ""), ("", "画")]


@pytest.fixture(scope="module")
def listed(endpoint):
    """A bucket of fixed keys for all listing tests."""
    s3 = endpoint.client()
    bucket = f"test-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=bucket)
    keys = keys_for(bucket, s3)
    yield bucket, keys
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    s3.delete_bucket(Bucket=bucket)


def entries(page, versions=False):
    found = [("key", item["Key"]) for item in page.get("Versions" if versions else "Contents", [])]
    found += [("prefix", item["Prefix"]) for item in page.get("CommonPrefixes", [])]
    return sorted(found, key=lambda entry: entry[1].encode())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("prefix,delimiter", CASES)
def test_all_pages_of_all_listings(s3, listed, prefix, delimiter, size):
    bucket, keys = listed
    expected = model(keys, prefix, delimiter)
    for operation in ("list_objects_v2", "list_objects", "list_object_versions"):
        found, pages = [], 0
        paginator = s3.get_paginator(operation)
        options = {"Bucket": bucket, "Prefix": prefix, "Delimiter": delimiter, "MaxKeys": size}
        for page in paginator.paginate(**options):
            part = entries(page, operation == "list_object_versions")
            assert len(part) <= size
            if operation == "list_objects_v2":
                assert page["KeyCount"] == len(part)
            found += part
            pages += 1
        assert found == expected, operation
        assert pages == max(1, -(-len(expected) // size)), operation


@pytest.mark.parametrize("after", ["", "a", "a/", "a/x/00", "a/x/99", "b", "é/1", "~", "zzzz"])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_start_after_and_marker(s3, listed, after, delimiter):
    bucket, keys = listed
    # A marker inside a group hides its common prefix, which comes before the marker.
    expected = [entry for entry in model(keys, "", delimiter) if entry[1].encode() > after.encode()]
    two = entries(s3.list_objects_v2(Bucket=bucket, StartAfter=after, Delimiter=delimiter))
    assert two == expected
    one = entries(s3.list_objects(Bucket=bucket, Marker=after, Delimiter=delimiter))
    assert one == two


def test_a_whole_key_as_prefix_gives_that_key(s3, listed):
    bucket, keys = listed
    page = s3.list_objects(Bucket=bucket, Prefix="a/x/01")
    assert [item["Key"] for item in page["Contents"]] == ["a/x/01"]
    assert page["IsTruncated"] is False


def test_zero_keys_is_an_empty_page(s3, listed):
    bucket, _ = listed
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


def test_versions_of_a_bucket_that_was_never_versioned(s3, listed):
    bucket, keys = listed
    page = s3.list_object_versions(Bucket=bucket)
    assert [item["Key"] for item in page["Versions"]] == keys
    assert {item["VersionId"] for item in page["Versions"]} == {"null"}
    assert all(item["IsLatest"] for item in page["Versions"])
    assert not page.get("DeleteMarkers")
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


def test_bad_listing_arguments(s3, listed):
    bucket, _ = listed
    for options in ({"MaxKeys": -1}, {"ContinuationToken": "not a token"}):
        with pytest.raises(ClientError) as error:
            s3.list_objects_v2(Bucket=bucket, **options)
        assert code(error) == ("InvalidArgument", 400)


@pytest.mark.parametrize("bad", ["ab", "UPPER-case", "under_score", "a..b", "-begin", "192.168.1.1", "x" * 64])
def test_bad_bucket_names(endpoint, bad):
    answer = request(endpoint, "PUT", bad)
    assert (answer.code, answer.status) == ("InvalidBucketName", 400)


def test_another_users_bucket_is_closed(server):
    """Buckets belong to their creator, are private, and their names are global."""
    owner = server.client()
    owner.create_bucket(Bucket="mine")
    owner.put_object(Bucket="mine", Key="k", Body=b"x")
    access, secret = "GUESTACCESSKEY000001", "guest-secret-" + "0" * 27
    server.admin("user", "add", "guest", "--access-key", access, "--secret-key", secret)
    guest = Endpoint(server.port, access, secret).client()
    assert guest.list_buckets()["Buckets"] == []
    for call in (
        lambda: guest.get_object(Bucket="mine", Key="k"),
        lambda: guest.put_object(Bucket="mine", Key="k", Body=b"y"),
        lambda: guest.delete_object(Bucket="mine", Key="k"),
        lambda: guest.list_objects_v2(Bucket="mine"),
        lambda: guest.delete_bucket(Bucket="mine"),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert code(error) == ("AccessDenied", 403)
    with pytest.raises(ClientError) as error:
        guest.create_bucket(Bucket="mine")
    assert code(error) == ("BucketAlreadyExists", 409)
    guest.create_bucket(Bucket="theirs")
    with pytest.raises(ClientError) as error:
        guest.copy_object(Bucket="theirs", Key="k", CopySource={"Bucket": "mine", "Key": "k"})
    assert code(error) == ("AccessDenied", 403)
    assert owner.get_object(Bucket="mine", Key="k")["Body"].read() == b"x"
    assert "guest" in server.admin("user", "list").stdout
    server.admin("user", "remove", "guest")
    with pytest.raises(ClientError) as error:
        guest.list_buckets()
    assert code(error)[1] == 403


def test_nobody_becomes_a_second_root(server):
    """Root is in no list of users, and yet has a name and an id that owns its buckets."""
    root = server.client().list_buckets()["Owner"]["ID"]
    keys = ("--access-key", server.access_key, "--secret-key", "second-secret-" + "0" * 26)
    for arguments in (("root",), ("second", "--id", root), ("second", "--id", "a b"), ("second", *keys)):
        answer = server.admin("user", "add", *arguments, check=False)
        assert answer.returncode != 0, answer.stdout
    assert server.client().list_buckets()["Owner"] == {"DisplayName": "root", "ID": root}
    assert "second" not in server.admin("user", "list").stdout
