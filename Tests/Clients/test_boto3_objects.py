"""Objects through boto3 with its default checksums."""

import datetime
import hashlib

import pytest
from botocore.exceptions import ClientError

from support.data import KIB, MIB, noise, sha256, text

SIZES = [0, 1, 1023, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 67 * MIB]

ODD_KEYS = [
    "plain",
    "with space",
    "plus+sign",
    "percent%41%2F",
    "a//b",
    "trailing/",
    "dot/./dot",
    "dots/../up",
    "question?mark",
    "hash#and&amp=;",
    "quote'\"<>&",
    "umlaut-äöü",
    "kanji-画像/研究",
    "emoji-🩻",
    "combining-é",
    "tilde~back\\slash|pipe",
    "new\nline",
    "x" * 1024,
    "ü" * 512,
]


def code(error) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("size", SIZES)
def test_put_then_get_gives_the_same_bytes(s3, bucket, size):
    for name, data in [("noise", noise(size, "put")), ("text", text(size, "put"))]:
        put = s3.put_object(Bucket=bucket, Key=name, Body=data)
        assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
        got = s3.get_object(Bucket=bucket, Key=name, ChecksumMode="ENABLED")
        assert got["ContentLength"] == size
        assert sha256(got["Body"].read()) == sha256(data)
        assert got["ETag"] == put["ETag"]
        assert got["ChecksumCRC32"] == put["ChecksumCRC32"]


@pytest.mark.parametrize("key", ODD_KEYS, ids=lambda key: ascii(key)[:24])
def test_odd_keys_are_kept_to_the_byte(s3, bucket, key):
    data = key.encode()
    s3.put_object(Bucket=bucket, Key=key, Body=data)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == data
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(data)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [item["Key"] for item in s3.list_objects(Bucket=bucket, Prefix=key)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == data
    s3.delete_object(Bucket=bucket, Key=key)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copy"]


def test_keys_that_look_alike_are_different_objects(s3, bucket):
    keys = ["a/b", "a//b", "a/b/", "/a/b", "a/./b", "a/x/../b", "a%2Fb", "A/b", "a/b ", " a/b", "é", "e\u0301"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=repr(key).encode())
    for key in keys:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == repr(key).encode()
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(keys, key=lambda key: key.encode())


def test_metadata_and_headers_come_back(s3, bucket):
    headers = {
        "ContentType": "application/dicom",
        "CacheControl": "max-age=3600",
        "ContentDisposition": 'attachment; filename="slice.dcm"',
        "ContentEncoding": "identity",
        "ContentLanguage": "de-CH",
    }
    metadata = {"patient-id": "0815", "modality": "CT", "empty": "", "spaces": "a  b"}
    expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata=metadata, Expires=expires, **headers)
    for answer in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert answer["Metadata"] == metadata
        assert {name: answer[name] for name in headers} == headers
        assert answer["ExpiresString"] == "Wed, 02 Jan 2030 03:04:05 GMT"
        age = datetime.datetime.now(datetime.timezone.utc) - answer["LastModified"]
        assert abs(age.total_seconds()) < 120


def test_an_object_without_a_type_has_the_default_one(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "binary/octet-stream"


def test_response_headers_can_be_overridden(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="text/plain")
    answer = s3.get_object(
        Bucket=bucket, Key="k", ResponseContentType="image/jpeg", ResponseContentDisposition="inline",
        ResponseCacheControl="no-store", ResponseContentLanguage="en", ResponseContentEncoding="identity",
    )
    assert answer["ContentType"] == "image/jpeg"
    assert answer["ContentDisposition"] == "inline"
    assert answer["CacheControl"] == "no-store"
    assert answer["ContentLanguage"] == "en"


def test_any_storage_class_label_is_kept(s3, bucket):
    for label in ("STANDARD_IA", "GLACIER", "DEEP_ARCHIVE"):
        s3.put_object(Bucket=bucket, Key=label, Body=b"x", StorageClass=label)
        assert s3.head_object(Bucket=bucket, Key=label)["StorageClass"] == label
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=label)["Contents"][0]
        assert listed["StorageClass"] == label
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    assert "StorageClass" not in s3.head_object(Bucket=bucket, Key="plain")


RANGES = [
    ("bytes=0-0", 0, 1), ("bytes=0-99", 0, 100), ("bytes=65535-65536", 65535, 65537),
    ("bytes=1048570-1048590", 1048570, 1048591), ("bytes=5000000-", 5000000, None), ("bytes=-1", -1, None),
    ("bytes=-70000", -70000, None), ("bytes=-99999999", -99999999, None), ("bytes=6000000-99999999", 6000000, None),
]


def test_ranges(s3, bucket):
    data = noise(6 * MIB + 123, "ranges")
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    for header, first, last in RANGES:
        answer = s3.get_object(Bucket=bucket, Key="k", Range=header)
        expected = data[first:last]
        assert answer["Body"].read() == expected, header
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        start = max(0, len(data) + first) if first < 0 else first
        assert answer["ContentRange"] == f"bytes {start}-{start + len(expected) - 1}/{len(data)}", header
        head = s3.head_object(Bucket=bucket, Key="k", Range=header)
        assert head["ContentLength"] == len(expected)


@pytest.mark.parametrize("header", [f"bytes={6 * MIB}-", "bytes=-0", f"bytes={6 * MIB}-{6 * MIB + 1}"])
def test_a_range_beyond_the_end_is_416(s3, bucket, header):
    s3.put_object(Bucket=bucket, Key="k", Body=noise(6 * MIB))
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", Range=header)
    assert code(error) == ("InvalidRange", 416)


def test_conditional_reads(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    changed = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    before, after = changed - datetime.timedelta(hours=1), changed + datetime.timedelta(seconds=2)
    for good in ({"IfMatch": tag}, {"IfNoneMatch": '"other"'}, {"IfModifiedSince": before},
                 {"IfUnmodifiedSince": after}, {"IfMatch": tag, "IfUnmodifiedSince": before}):
        assert s3.get_object(Bucket=bucket, Key="k", **good)["Body"].read() == b"x"
        s3.head_object(Bucket=bucket, Key="k", **good)
    for bad in ({"IfMatch": '"other"'}, {"IfUnmodifiedSince": before}):
        with pytest.raises(ClientError) as error:
            s3.get_object(Bucket=bucket, Key="k", **bad)
        assert code(error) == ("PreconditionFailed", 412)
    for same in ({"IfNoneMatch": tag}, {"IfModifiedSince": changed},
                 {"IfNoneMatch": tag, "IfModifiedSince": before}):
        with pytest.raises(ClientError) as error:
            s3.get_object(Bucket=bucket, Key="k", **same)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304


def test_conditional_writes(s3, bucket):
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert code(error) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch='"other"')
    assert code(error) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="absent", Body=b"2", IfMatch=first)
    assert code(error) == ("NoSuchKey", 404)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=first)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"3"


def test_copy_keeps_or_replaces_what_it_should(s3, bucket):
    data = noise(3 * MIB, "copy")
    tag = s3.put_object(
        Bucket=bucket, Key="from", Body=data, Metadata={"a": "1"}, ContentType="image/png", Tagging="t=1"
    )["ETag"]
    source = {"Bucket": bucket, "Key": "from"}
    s3.copy_object(Bucket=bucket, Key="same", CopySource=source)
    s3.copy_object(
        Bucket=bucket, Key="new", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"},
        ContentType="text/plain", TaggingDirective="REPLACE", Tagging="u=2",
    )
    same, new = s3.get_object(Bucket=bucket, Key="same"), s3.get_object(Bucket=bucket, Key="new")
    assert (same["Metadata"], same["ContentType"]) == ({"a": "1"}, "image/png")
    assert (new["Metadata"], new["ContentType"]) == ({"b": "2"}, "text/plain")
    assert sha256(same["Body"].read()) == sha256(new["Body"].read()) == sha256(data)
    assert s3.get_object_tagging(Bucket=bucket, Key="same")["TagSet"] == [{"Key": "t", "Value": "1"}]
    assert s3.get_object_tagging(Bucket=bucket, Key="new")["TagSet"] == [{"Key": "u", "Value": "2"}]
    s3.delete_object(Bucket=bucket, Key="from")
    assert s3.get_object(Bucket=bucket, Key="same")["Body"].read() == data
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket=bucket, Key="same2", CopySource={"Bucket": bucket, "Key": "same"},
                       CopySourceIfNoneMatch=tag)
    assert code(error) == ("PreconditionFailed", 412)


def test_copy_onto_itself_changes_metadata_only_when_told(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "1"})
    source = {"Bucket": bucket, "Key": "k"}
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket=bucket, Key="k", CopySource=source)
    assert code(error) == ("InvalidRequest", 400)
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert (answer["Metadata"], answer["Body"].read()) == ({"b": "2"}, b"x")


def test_tagging(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="study=42&who=M%C3%BCller")
    tags = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert sorted((tag["Key"], tag["Value"]) for tag in tags) == [("study", "42"), ("who", "Müller")]
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "new", "Value": ""}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "new", "Value": ""}]
    for bad in (
        [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}],
        [{"Key": f"k{number}", "Value": ""} for number in range(11)],
        [{"Key": "k" * 129, "Value": ""}],
        [{"Key": "k", "Value": "v" * 257}],
    ):
        with pytest.raises(ClientError) as error:
            s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": bad})
        assert code(error)[0] in ("InvalidTag", "BadRequest", "MalformedXML") and code(error)[1] == 400
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_delete_objects(s3, bucket):
    keys = [f"k{number:04}" for number in range(1000)]
    for key in keys[::100]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    # Keys that never were count as deleted, as AWS has it.
    assert sorted(item["Key"] for item in answer["Deleted"]) == keys
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    with pytest.raises(ClientError) as error:
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": str(number)} for number in range(1001)]})
    assert code(error) == ("MalformedXML", 400)


def test_delete_is_idempotent_and_knows_the_null_version(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"x"
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    s3.delete_object(Bucket=bucket, Key="k")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k")
    assert code(error) == ("NoSuchKey", 404)
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="k")
    assert code(error) == ("404", 404)


def test_object_attributes(s3, bucket):
    data = noise(MIB, "attributes")
    put = s3.put_object(Bucket=bucket, Key="k", Body=data, ChecksumAlgorithm="SHA256", StorageClass="STANDARD_IA")
    answer = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    )
    assert answer["ETag"] == put["ETag"].strip('"')
    assert answer["Checksum"]["ChecksumSHA256"] == put["ChecksumSHA256"]
    assert answer["ObjectSize"] == MIB
    assert answer["StorageClass"] == "STANDARD_IA"
    assert "ObjectParts" not in answer


def test_overwriting_gives_the_last_bytes(s3, bucket):
    for number in range(20):
        s3.put_object(Bucket=bucket, Key="k", Body=noise(100_000 + number, number))
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == noise(100_000 + number, number)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_user_metadata_over_two_kib_is_refused(s3, bucket):
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "v" * 2048})
    assert code(error) == ("MetadataTooLarge", 400)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
