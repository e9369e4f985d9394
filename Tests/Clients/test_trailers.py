"""Trailers of unsigned aws-chunked bodies, the form that SDKs send by default: each answer has one code, which suites
compare."""

import base64
import zlib

import pytest

from support.raw import exchange, head, request
from support.signature import STREAMING_UNSIGNED_TRAILER, Signer, path_of

DATA = b"hello"
CHUNKS = b"5\r\nhello\r\n0\r\n"
CRC32 = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
NAME = "x-amz-checksum-crc32"
RIGHT = f"{NAME}:{CRC32}\r\n".encode()

MALFORMED = (400, "MalformedTrailerError")
INVALID = (400, "InvalidRequest")
INCOMPLETE = (400, "IncompleteBody")


def send(endpoint, bucket, body, announced=None, **headers):
    """`headers` with underscores for dashes; the decoded length is the true one unless they say otherwise."""
    plain = {"x-amz-decoded-content-length": str(len(DATA))}
    plain |= {name.replace("_", "-"): value for name, value in headers.items()}
    if announced:
        plain["x-amz-trailer"] = announced
    return request(endpoint, "PUT", bucket, "k", "", body, plain, payload=STREAMING_UNSIGNED_TRAILER)


@pytest.mark.parametrize("end", [b"\r\n", b""])  # AWS misses no blank line where the body ends.
@pytest.mark.parametrize("trailer, announced", [
    (b"", None),  # No trailer at all, although the mode is named after it.
    (RIGHT, NAME),
    (RIGHT, NAME + ", "),
    (f"{NAME}: {CRC32} \r\n".encode(), NAME),
    (f"{NAME}:{CRC32}\n\r\n".encode(), NAME),  # The line end that AWS's own example has.
])
def test_trailers_that_are_right(endpoint, s3, bucket, trailer, announced, end):
    answer = send(endpoint, bucket, CHUNKS + trailer + end, announced)
    assert answer.status == 200, answer
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA


@pytest.mark.parametrize("trailer, announced, headers, expected", [
    (RIGHT, None, {}, MALFORMED),
    (b"", NAME, {}, MALFORMED),
    (RIGHT.replace(b"crc32", b"crc32c"), NAME, {}, MALFORMED),
    (f":{CRC32}\r\n".encode(), NAME, {}, MALFORMED),
    (RIGHT, "x-amz-checksum-foo", {}, INVALID),
    (f"{NAME}:!!!\r\n".encode(), NAME, {}, INVALID),
    (f"{NAME}:AAAAAA==\r\n".encode(), NAME, {}, (400, "BadDigest")),
    (RIGHT, NAME, {"x_amz_checksum_crc32": CRC32}, INVALID),
    (RIGHT, NAME, {"x_amz_sdk_checksum_algorithm": "SHA256"}, INVALID),
    (b"", None, {"x_amz_sdk_checksum_algorithm": "SHA256"}, INVALID),
    (RIGHT, NAME, {"x_amz_decoded_content_length": "7"}, INCOMPLETE),
    (RIGHT, NAME, {"x_amz_decoded_content_length": "abc"}, (411, "MissingContentLength")),
])
def test_trailers_that_are_refused(endpoint, s3, bucket, trailer, announced, headers, expected):
    answer = send(endpoint, bucket, CHUNKS + trailer + b"\r\n", announced, **headers)
    assert (answer.status, answer.code) == expected, answer
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("body", [
    b"5\r\n",
    b"5\r\nhello\r\n",
    CHUNKS,
    CHUNKS + RIGHT[:-1],
    CHUNKS.replace(b"\r\n", b"\n") + RIGHT + b"\r\n",
    b"zz" + CHUNKS + RIGHT + b"\r\n",
    CHUNKS + RIGHT + b"\r\nmore",
])
def test_a_body_without_its_end_is_incomplete(endpoint, bucket, body):
    answer = send(endpoint, bucket, body, NAME)
    assert (answer.status, answer.code) == INCOMPLETE, answer


@pytest.mark.parametrize("headers, expected", [
    ({}, MALFORMED), ({"x-amz-sdk-checksum-algorithm": "CRC32"}, MALFORMED), ({NAME: CRC32}, INVALID),
])
def test_a_trailer_is_not_announced_for_a_body_that_has_none(endpoint, s3, bucket, headers, expected):
    answer = request(endpoint, "PUT", bucket, "k", "", DATA, {"x-amz-trailer": NAME, **headers})
    assert (answer.status, answer.code) == expected, answer
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_the_body_may_come_in_chunks_of_http(endpoint, s3, bucket):
    """Some SDKs send a stream so: then no Content-Length counts the framing."""
    body = CHUNKS + RIGHT + b"\r\n"
    plain = {
        "host": endpoint.address, "transfer-encoding": "chunked", "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(DATA)), "x-amz-trailer": NAME,
    }
    signer = Signer(endpoint.access_key, endpoint.secret_key)
    signed = signer.sign("PUT", path_of(bucket, "k"), "", plain, STREAMING_UNSIGNED_TRAILER)
    answer = exchange(
        endpoint, head("PUT", path_of(bucket, "k"), signed) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )
    assert answer.status == 200, answer
    kept = s3.get_object(Bucket=bucket, Key="k")
    assert kept["Body"].read() == DATA
    assert "ContentEncoding" not in kept
