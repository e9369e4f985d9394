"""Completions of uploads, and the checksums that clients state: each was once answered otherwise than AWS does."""

import base64
import hashlib
import urllib.request
import zlib

import pytest
from botocore.exceptions import ClientError

from support.raw import request
from support.signature import Signer, path_of
from support.uploads import DATA, begun, code, complete, crc32, refusal


# Completions

def test_a_completion_is_answered_again_for_its_own_upload_only(endpoint, s3, bucket):
    kind = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
    made, parts = begun(s3, bucket, **kind)
    first = complete(endpoint, bucket, made, parts, {})
    assert first.status == 200
    aborted, same = begun(s3, bucket, Metadata={"v": "1"}, **kind)
    assert same == parts
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=aborted)
    for upload in (aborted, "0" * len(made)):
        for headers in ({}, {"if-none-match": "*"}):
            assert refusal(complete(endpoint, bucket, upload, parts, headers)) == ("NoSuchUpload", 404)
    again = complete(endpoint, bucket, made, parts, {"if-none-match": "*"})
    assert again.status == 200 and again.body == first.body
    assert refusal(complete(endpoint, bucket, made, parts, {"x-amz-mp-object-size": "1"})) == ("InvalidRequest", 400)


# Checksums: what a client states is compared or refused, never passed over

@pytest.mark.parametrize("headers, expected", [
    ({"x-amz-checksum-crc32": crc32(DATA)}, "InvalidRequest"),
    ({"x-amz-checksum-crc32": crc32(b"other")}, "InvalidRequest"),
    ({"x-amz-checksum-crc32": crc32(b"other"), "x-amz-checksum-type": "FULL_OBJECT"}, "InvalidRequest"),
    ({"x-amz-checksum-sha256": base64.b64encode(bytes(32)).decode()}, "InvalidRequest"),
    ({"x-amz-checksum-type": "COMPOSITE"}, "BadDigest"),
])
def test_a_completion_states_no_checksum_that_is_not_compared(endpoint, s3, bucket, headers, expected):
    upload = request(endpoint, "POST", bucket, "k", "uploads=").body.split(b"<UploadId>")[1].split(b"<")[0].decode()
    part = request(endpoint, "PUT", bucket, "k", f"partNumber=1&uploadId={upload}", DATA)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part.headers["etag"]}]}
    assert refusal(complete(endpoint, bucket, upload, parts, headers)) == (expected, 400)
    assert complete(endpoint, bucket, upload, parts, {}).status == 200


def test_a_completion_states_the_checksum_that_its_parts_came_with(endpoint, s3, bucket):
    upload = request(endpoint, "POST", bucket, "k", "uploads=").body.split(b"<UploadId>")[1].split(b"<")[0].decode()
    headers = {"x-amz-checksum-crc32": crc32(DATA)}
    part = request(endpoint, "PUT", bucket, "k", f"partNumber=1&uploadId={upload}", DATA, headers)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part.headers["etag"]}]}
    wrong = {"x-amz-checksum-crc32": crc32(b"other")}
    assert refusal(complete(endpoint, bucket, upload, parts, wrong)) == ("BadDigest", 400)
    assert complete(endpoint, bucket, upload, parts, headers).status == 200
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC32"] == crc32(DATA)


def test_a_completion_keeps_the_kind_of_checksum(endpoint, s3, bucket):
    upload, parts = begun(s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    answer = complete(endpoint, bucket, upload, parts, {"x-amz-checksum-type": "COMPOSITE"})
    assert refusal(answer) == ("BadDigest", 400)
    assert answer.message == "The upload was created using the FULL_OBJECT checksum mode. The complete request must " \
        "use the same checksum mode."
    answer = complete(
        endpoint, bucket, upload, parts, {"x-amz-checksum-crc32": crc32(DATA), "x-amz-checksum-type": "FULL_OBJECT"}
    )
    assert answer.status == 200
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC32"] == crc32(DATA)


@pytest.mark.parametrize("checksums, expected, message", [
    ({"ChecksumCRC32": "!"}, "InvalidArgument", "Invalid Base64 or multiple checksums present in request"),
    ({"ChecksumCRC32": crc32(DATA), "ChecksumSHA1": base64.b64encode(hashlib.sha1(DATA).digest()).decode()},
     "InvalidArgument", "Invalid Base64 or multiple checksums present in request"),
    ({"ChecksumSHA256": base64.b64encode(hashlib.sha256(DATA).digest()).decode()},
     "BadDigest", "The sha256 you specified for part 1 did not match what we received."),
    ({"ChecksumCRC32": crc32(b"other")}, "InvalidPart", None),
])
def test_a_parts_checksum_that_cannot_be_its(endpoint, s3, bucket, checksums, expected, message):
    upload, parts = begun(s3, bucket, ChecksumAlgorithm="CRC32")
    listed = {"Parts": [{"PartNumber": 1, "ETag": parts["Parts"][0]["ETag"], **checksums}]}
    answer = complete(endpoint, bucket, upload, listed, {})
    assert refusal(answer) == (expected, 400)
    assert message in (None, answer.message)


def test_a_composite_checksum_counts_its_parts(endpoint, s3, bucket):
    upload, parts = begun(s3, bucket, ChecksumAlgorithm="CRC32")
    whole = crc32(zlib.crc32(DATA).to_bytes(4, "big"))
    assert refusal(complete(endpoint, bucket, upload, parts, {"x-amz-checksum-crc32": whole + "-2"})) == \
        ("BadDigest", 400)
    assert complete(endpoint, bucket, upload, parts, {"x-amz-checksum-crc32": whole + "-1"}).status == 200


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256", "SHA512", "XXHASH3"])
def test_a_composite_checksum_wants_that_of_each_part_named(s3, bucket, algorithm):
    upload, parts = begun(s3, bucket, ChecksumAlgorithm=algorithm)
    unnamed = {"Parts": [{"PartNumber": 1, "ETag": parts["Parts"][0]["ETag"]}]}
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=unnamed)
    assert code(error) == ("InvalidRequest", 400)
    assert "It was missing for part 1 in the request" in str(error.value)
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)


def test_a_checksum_of_the_whole_wants_none_of_the_parts_named(s3, bucket):
    upload, parts = begun(s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    unnamed = {"Parts": [{"PartNumber": 1, "ETag": parts["Parts"][0]["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=unnamed)


def test_a_part_has_the_checksum_of_its_upload(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    with pytest.raises(ClientError) as error:
        s3.upload_part(
            Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=DATA, ChecksumAlgorithm="CRC32"
        )
    assert code(error) == ("InvalidRequest", 400)
    assert "expected checksum Type: sha256, actual checksum Type: crc32" in str(error.value)


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256", "XXHASH3"])
def test_a_part_states_its_checksum_where_the_wholes_is_of_the_parts(endpoint, s3, bucket, algorithm):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm)["UploadId"]
    answer = request(endpoint, "PUT", bucket, "k", f"partNumber=1&uploadId={upload}", DATA)
    assert refusal(answer) == ("InvalidRequest", 400)
    assert answer.message == "Checksum Type mismatch occurred, expected checksum Type: " \
        f"{algorithm.lower()}, actual checksum Type: null"


@pytest.mark.parametrize("name", ["sha384", "sha3-256", "md4", "xxhash32", "crc64", "none-such"])
def test_a_checksum_that_is_not_known_is_refused(endpoint, bucket, name):
    answer = request(endpoint, "PUT", bucket, "k", "", DATA, {f"x-amz-checksum-{name}": "AAAAAA=="})
    assert refusal(answer) == ("InvalidRequest", 400)


def test_checksums_in_a_presigned_url_count_for_nothing(endpoint, bucket):
    """The JavaScript SDK puts the CRC of no bytes there."""
    query = Signer(endpoint.access_key, endpoint.secret_key).presign(
        "PUT", path_of(bucket, "k"),
        "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&x-amz-trailer=x-amz-checksum-crc32",
        {"host": endpoint.address},
    )
    url = f"http://{endpoint.address}{path_of(bucket, 'k')}?{query}"
    with urllib.request.urlopen(urllib.request.Request(url, data=DATA, method="PUT")) as answer:
        assert answer.status == 200
