"""Hostile and broken requests: AWS's error for each, nothing stored, and the process lives."""

import base64
import contextlib
import hashlib
import socket
import time
import uuid
import zlib
from urllib.parse import unquote_to_bytes

import pytest

from support import signature
from support.data import KIB, MIB, noise
from support.raw import TIMEOUT, Response, exchange, head, read_response, request
from support.signature import STREAMING_SIGNED, STREAMING_SIGNED_TRAILER, STREAMING_UNSIGNED_TRAILER, UNSIGNED, Signer

BODY = noise(200 * KIB, "bad input")
SHA = hashlib.sha256(BODY).hexdigest()
CRC = base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
# Seconds within which a client is told to go on, in one of so many attempts.
AT_ONCE, ATTEMPTS = 0.5, 20


@pytest.fixture(scope="module")
def where(endpoint):
    """A bucket in which nothing may ever appear beside the object `keep`."""
    name = f"test-{uuid.uuid4().hex[:16]}"
    client = endpoint.client()
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="keep", Body=b"untouched")
    yield name
    client.delete_object(Bucket=name, Key="keep")
    client.delete_bucket(Bucket=name)


@pytest.fixture(autouse=True)
def nothing_stored(endpoint, where):
    yield
    client = endpoint.client()
    listed = [item["Key"] for item in client.list_objects_v2(Bucket=where).get("Contents", [])]
    for key in listed:
        if key != "keep":
            client.delete_object(Bucket=where, Key=key)  # One failure is not to be every later test's.
    assert listed == ["keep"]
    assert client.get_object(Bucket=where, Key="keep")["Body"].read() == b"untouched"
    uploads = client.list_multipart_uploads(Bucket=where).get("Uploads", [])
    for upload in uploads:
        client.abort_multipart_upload(Bucket=where, Key=upload["Key"], UploadId=upload["UploadId"])
    assert not uploads, uploads
    if hasattr(endpoint, "is_alive"):
        assert endpoint.is_alive(), "the process died"


def refused(answer: Response, *expected):
    """`expected` are pairs of code and status, any of which will do."""
    assert (answer.code, answer.status) in expected, (answer.status, answer.body[:600])
    # A HEAD has no body; every other error is XML with a request id.
    assert b"<RequestId>" in answer.body
    assert answer.headers.get("x-amz-request-id")


def refused_or_closed(answer: Response):
    """For what is not even HTTP: an error of ours or an end of the connection, never success and never silence."""
    assert answer.status == 0 or 400 <= answer.status < 600


# Signatures, in each payload mode

MODES = ["signed", "unsigned", "chunked", "chunked-trailer", "unsigned-trailer"]


def chunked_body(signer, mode, data=BODY, crc=CRC, size=64 * KIB) -> bytes:
    """The body of a chunked mode; `signer` must have signed the request already."""
    pieces = [data[offset:offset + size] for offset in range(0, len(data), size)]
    trailer = {"x-amz-checksum-crc32": crc}
    if mode == "unsigned-trailer":
        framed = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
        return framed + f"0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n".encode()
    framed = b"".join(signer.chunk(piece) for piece in pieces)
    last = signer.chunk(b"")
    if mode == "chunked":
        return framed + last
    return framed + last.removesuffix(b"\r\n") + signer.trailer(trailer)


PAYLOADS = {
    "signed": SHA, "unsigned": UNSIGNED, "chunked": STREAMING_SIGNED, "chunked-trailer": STREAMING_SIGNED_TRAILER,
    "unsigned-trailer": STREAMING_UNSIGNED_TRAILER,
}


def send(endpoint, bucket, mode, key="new", signer=None, data=BODY, crc=CRC, edit_head=None, edit_body=None,
         headers=None, **options) -> Response:
    """PUT of `data` in one payload mode, with either half open to tampering after signing."""
    signer = signer or Signer(endpoint.access_key, endpoint.secret_key)
    path = signature.path_of(bucket, key)
    plain = {"host": endpoint.address, **(headers or {})}
    if mode in ("signed", "unsigned"):
        body = data
    else:
        # Every signature has 64 digits, so a trial with any signer has the length of the real one.
        body = chunked_body(Signer("x", "y"), mode, data, crc)
        plain["content-encoding"] = "aws-chunked"
        plain["x-amz-decoded-content-length"] = str(len(data))
        if mode.endswith("trailer"):
            plain["x-amz-trailer"] = "x-amz-checksum-crc32"
    plain["content-length"] = str(len(body))
    signed = signer.sign("PUT", path, "", plain, PAYLOADS[mode])
    if mode not in ("signed", "unsigned"):
        body = chunked_body(signer, mode, data, crc)
    signed = edit_head(signed) if edit_head else signed
    if edit_body:
        body = edit_body(body)
        signed["content-length"] = str(len(body))
    return exchange(endpoint, head("PUT", path, signed) + body, **options)


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_works_when_it_is_right(endpoint, where, mode):
    answer = send(endpoint, where, mode)
    assert answer.status == 200, answer.body
    client = endpoint.client()
    assert client.get_object(Bucket=where, Key="new")["Body"].read() == BODY
    assert "ContentEncoding" not in client.head_object(Bucket=where, Key="new")
    client.delete_object(Bucket=where, Key="new")


@pytest.mark.parametrize("mode", MODES)
def test_wrong_secret(endpoint, where, mode):
    answer = send(endpoint, where, mode, signer=Signer(endpoint.access_key, "wrong" * 8))
    refused(answer, ("SignatureDoesNotMatch", 403))


@pytest.mark.parametrize("mode", MODES)
def test_unknown_access_key(endpoint, where, mode):
    answer = send(endpoint, where, mode, signer=Signer("NOSUCHKEY00000000000", endpoint.secret_key))
    refused(answer, ("InvalidAccessKeyId", 403), ("SignatureDoesNotMatch", 403))


@pytest.mark.parametrize("mode", MODES)
def test_a_flipped_digit_of_the_signature(endpoint, where, mode):
    def edit(headers):
        value = headers["authorization"]
        headers["authorization"] = value[:-1] + ("0" if value[-1] != "0" else "1")
        return headers

    refused(send(endpoint, where, mode, edit_head=edit), ("SignatureDoesNotMatch", 403))


@pytest.mark.parametrize("mode", MODES)
def test_a_signed_header_changed_on_the_way(endpoint, where, mode):
    answer = send(endpoint, where, mode, headers={"x-amz-meta-a": "1"},
                  edit_head=lambda headers: {**headers, "x-amz-meta-a": "2"})
    refused(answer, ("SignatureDoesNotMatch", 403))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("extra", ["x-amz-meta-added", "x-amz-storage-class", "x-amz-tagging", "x-amz-copy-source"])
def test_an_amz_header_that_is_not_signed(endpoint, where, mode, extra):
    value = {"x-amz-copy-source": f"/{where}/keep"}.get(extra, "a=b")
    answer = send(endpoint, where, mode, edit_head=lambda headers: {**headers, extra: value})
    refused(answer, ("AccessDenied", 403), ("SignatureDoesNotMatch", 403))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("skew", [-3600, 3600, -86400 * 400])
def test_a_skewed_clock(endpoint, where, mode, skew):
    signer = Signer(endpoint.access_key, endpoint.secret_key, time=signature.now(skew))
    refused(send(endpoint, where, mode, signer=signer), ("RequestTimeTooSkewed", 403))


@pytest.mark.parametrize("mode", MODES)
def test_a_byte_changed_in_the_body(endpoint, where, mode):
    def edit(body):
        place = len(body) // 2
        return body[:place] + bytes([body[place] ^ 1]) + body[place + 1:]

    if mode == "unsigned":
        # Nothing but the transport protects this mode; a declared digest must.
        crc = {"x-amz-checksum-crc32": CRC}
        refused(send(endpoint, where, mode, headers=crc, edit_body=edit), ("BadDigest", 400))
        return
    refused(
        send(endpoint, where, mode, edit_body=edit),
        ("XAmzContentSHA256Mismatch", 400) if mode == "signed" else ("SignatureDoesNotMatch", 403), ("BadDigest", 400),
    )


def test_wrong_scope(endpoint, where):
    for signer in (
        Signer(endpoint.access_key, endpoint.secret_key, region="mars-north-1"),
        Signer(endpoint.access_key, endpoint.secret_key, service="ec2"),
    ):
        refused(send(endpoint, where, "signed", signer=signer),
                ("AuthorizationHeaderMalformed", 400), ("SignatureDoesNotMatch", 403))


@pytest.mark.parametrize("value", [
    "", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a",
    "AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=, Signature=",
    "Basic dXNlcjpwYXNz", "AWS key:signature", "AWS4-HMAC-SHA256 " + "x" * 4000,
    "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host;host, Signature=zz",
])
def test_malformed_authorization(endpoint, where, value):
    answer = send(endpoint, where, "signed", edit_head=lambda headers: {**headers, "authorization": value})
    assert 400 <= answer.status <= 403 and answer.code, answer


def test_no_authorization_at_all(endpoint, where):
    for method, key in (("PUT", "new"), ("GET", "keep"), ("DELETE", "keep"), ("GET", "")):
        data = head(method, signature.path_of(where, key), {"host": endpoint.address, "content-length": "0"})
        refused(exchange(endpoint, data), ("AccessDenied", 403))


def test_host_must_be_signed(endpoint, where):
    answer = request(endpoint, "PUT", where, "new", body=BODY, unsigned=("host",))
    assert answer.status in (400, 403), answer


def presigned(endpoint, bucket, key, method="GET", query="", signer=None, expires=300, edit=None, body=b"") -> Response:
    signer = signer or Signer(endpoint.access_key, endpoint.secret_key)
    path = signature.path_of(bucket, key)
    full = signer.presign(method, path, query, {"host": endpoint.address}, expires)
    full = edit(full) if edit else full
    headers = {"host": endpoint.address, "content-length": str(len(body))}
    return exchange(endpoint, head(method, f"{path}?{full}", headers) + body)


def test_presigned_requests(endpoint, where):
    assert presigned(endpoint, where, "keep").body == b"untouched"
    bad_secret = Signer(endpoint.access_key, "wrong" * 8)
    refused(presigned(endpoint, where, "new", "PUT", signer=bad_secret, body=BODY), ("SignatureDoesNotMatch", 403))
    old = Signer(endpoint.access_key, endpoint.secret_key, time=signature.now(-400))
    refused(presigned(endpoint, where, "keep", signer=old), ("AccessDenied", 403))
    early = Signer(endpoint.access_key, endpoint.secret_key, time=signature.now(3600))
    refused(presigned(endpoint, where, "keep", signer=early), ("AccessDenied", 403), ("RequestTimeTooSkewed", 403))
    for expires in ("604801", "-1", "abc", "99999999999999999999"):
        refused(presigned(endpoint, where, "keep", expires=expires), ("AuthorizationQueryParametersError", 400))
    added = presigned(endpoint, where, "keep", edit=lambda query: query + "&response-content-type=text%2Fhtml")
    refused(added, ("SignatureDoesNotMatch", 403))
    missing = presigned(endpoint, where, "keep", edit=lambda query: query.split("&X-Amz-Signature")[0])
    refused(missing, ("AuthorizationQueryParametersError", 400), ("AccessDenied", 403))


def test_presigned_with_a_header_that_is_not_signed(endpoint, where):
    signer = Signer(endpoint.access_key, endpoint.secret_key)
    path = signature.path_of(where, "new")
    query = signer.presign("PUT", path, "", {"host": endpoint.address})
    headers = {"host": endpoint.address, "content-length": "1", "x-amz-copy-source": f"/{where}/keep"}
    refused(exchange(endpoint, head("PUT", f"{path}?{query}", headers) + b"x"),
            ("AccessDenied", 403), ("SignatureDoesNotMatch", 403))


# Framing of chunked bodies

FRAMING = {
    "a size that is not a number": lambda body: b"zz" + body[2:],
    "a negative size": lambda body: b"-1" + body,
    "an absurd size": lambda body: b"ffffffffffffffffffff" + body[5:],
    "a size beyond the data": lambda body: b"f" + body,
    "an empty size": lambda body: body[5:],
    "no line end after the chunk": lambda body: body.replace(b"\r\n", b"\n"),
    "an endless size line": lambda body: b"0" * (128 * KIB) + body,
    "no last chunk": lambda body: body[:body.rindex(b"\r\n0")],
    "bytes after the end": lambda body: body + b"more",
    "nothing at all": lambda body: b"",
}
FRAMING_ERRORS = {
    "IncompleteBody", "InvalidRequest", "InvalidArgument", "SignatureDoesNotMatch", "InvalidChunkSizeError",
    "MalformedTrailerError", "BadRequest", "EntityTooLarge", "BadDigest", "MissingRequestBodyError",
}


@pytest.mark.parametrize("name", FRAMING)
@pytest.mark.parametrize("mode", ["chunked", "chunked-trailer", "unsigned-trailer"])
def test_malformed_framing(endpoint, where, mode, name):
    answer = send(endpoint, where, mode, edit_body=FRAMING[name])
    assert answer.code in FRAMING_ERRORS and 400 <= answer.status <= 403, answer


@pytest.mark.parametrize("mode", ["chunked", "chunked-trailer", "unsigned-trailer"])
@pytest.mark.parametrize("claimed", [0, 1, len(BODY) - 1, len(BODY) + 1, 6 << 40])
def test_a_decoded_length_that_is_not_true(endpoint, where, mode, claimed):
    headers = {"x-amz-decoded-content-length": str(claimed)}
    signer = Signer(endpoint.access_key, endpoint.secret_key)
    path = signature.path_of(where, "new")
    plain = {
        "host": endpoint.address, "content-encoding": "aws-chunked", **headers,
        "content-length": str(len(chunked_body(Signer("x", "y"), mode))),
        **({"x-amz-trailer": "x-amz-checksum-crc32"} if mode.endswith("trailer") else {}),
    }
    signed = signer.sign("PUT", path, "", plain, PAYLOADS[mode])
    answer = exchange(endpoint, head("PUT", path, signed) + chunked_body(signer, mode))
    assert answer.code in FRAMING_ERRORS and answer.status in (400, 403), answer


def test_chunks_in_another_order(endpoint, where):
    def swap(body):
        size = body.index(b"\r\n") + 2 + 64 * KIB + 2
        return body[size:2 * size] + body[:size] + body[2 * size:]

    refused(send(endpoint, where, "chunked", edit_body=swap), ("SignatureDoesNotMatch", 403))


def test_a_trailer_that_does_not_match(endpoint, where):
    wrong = base64.b64encode(b"\1\2\3\4").decode()
    for mode in ("chunked-trailer", "unsigned-trailer"):
        refused(send(endpoint, where, mode, crc=wrong), ("BadDigest", 400))
        refused(send(endpoint, where, mode, crc="not base64"), ("InvalidRequest", 400), ("MalformedTrailerError", 400))


def test_a_trailer_that_was_announced_and_never_came(endpoint, where):
    def cut(body):
        return body[:body.index(b"x-amz-checksum-crc32")] + b"\r\n"

    answer = send(endpoint, where, "unsigned-trailer", edit_body=cut)
    assert answer.code in FRAMING_ERRORS and answer.status == 400, answer


# Digests and lengths

@pytest.mark.parametrize("headers,codes", [
    ({"content-md5": base64.b64encode(b"0" * 16).decode()}, [("BadDigest", 400)]),
    ({"content-md5": "not base64!"}, [("InvalidDigest", 400)]),
    ({"content-md5": base64.b64encode(b"short").decode()}, [("InvalidDigest", 400)]),
    ({"x-amz-checksum-crc32": base64.b64encode(b"0000").decode()}, [("BadDigest", 400)]),
    ({"x-amz-checksum-crc32c": base64.b64encode(b"0000").decode()}, [("BadDigest", 400)]),
    ({"x-amz-checksum-crc64nvme": base64.b64encode(b"0" * 8).decode()}, [("BadDigest", 400)]),
    ({"x-amz-checksum-sha1": base64.b64encode(b"0" * 20).decode()}, [("BadDigest", 400)]),
    ({"x-amz-checksum-sha256": base64.b64encode(b"0" * 32).decode()}, [("BadDigest", 400)]),
    ({"x-amz-checksum-sha512": base64.b64encode(b"0" * 64).decode()}, [("BadDigest", 400)]),
    ({"x-amz-checksum-md5": base64.b64encode(b"0" * 16).decode()}, [("BadDigest", 400)]),
    ({"x-amz-checksum-xxhash64": base64.b64encode(b"0" * 8).decode()}, [("BadDigest", 400)]),
    ({"x-amz-checksum-xxhash3": base64.b64encode(b"0" * 8).decode()}, [("BadDigest", 400)]),
    ({"x-amz-checksum-xxhash128": base64.b64encode(b"0" * 16).decode()}, [("BadDigest", 400)]),
    ({"x-amz-checksum-md5": "not base64!"}, [("InvalidRequest", 400)]),
    ({"x-amz-checksum-sha256": base64.b64encode(b"short").decode()}, [("InvalidRequest", 400)]),
    ({"x-amz-checksum-crc32": "%%%"}, [("InvalidRequest", 400)]),
    ({"x-amz-checksum-crc32": CRC, "x-amz-checksum-sha1": "AAAA"}, [("InvalidRequest", 400)]),
    ({"x-amz-sdk-checksum-algorithm": "CRC99"}, [("InvalidRequest", 400)]),
])
def test_wrong_digests(endpoint, where, headers, codes):
    refused(send(endpoint, where, "signed", headers=headers), *codes)


def test_a_payload_hash_that_is_none(endpoint, where):
    for payload in ("zz", "0" * 63, "STREAMING-NONSENSE"):
        answer = request(endpoint, "PUT", where, "new", body=BODY, payload=payload)
        assert answer.status in (400, 403) and answer.code, answer


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sent", [0, 1, 70 * KIB])
def test_a_body_that_ends_too_soon(endpoint, where, mode, sent):
    """The client closes its side, or vanishes, in the middle of the body."""
    signer = Signer(endpoint.access_key, endpoint.secret_key)
    path = signature.path_of(where, "new")
    plain = {"host": endpoint.address}
    if mode in ("signed", "unsigned"):
        body = BODY
    else:
        body = chunked_body(Signer("x", "y"), mode)
        plain |= {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(BODY))}
        plain |= {"x-amz-trailer": "x-amz-checksum-crc32"} if mode.endswith("trailer") else {}
    plain["content-length"] = str(len(body))
    signed = signer.sign("PUT", path, "", plain, PAYLOADS[mode])
    if mode not in ("signed", "unsigned"):
        body = chunked_body(signer, mode)
    answer = exchange(endpoint, head("PUT", path, signed) + body[:sent], close_after_send=True)
    assert answer.status == 0 or (answer.status == 400 and answer.code in FRAMING_ERRORS), answer


def test_lengths(endpoint, where):
    def without_length(headers):
        return {name: value for name, value in headers.items() if name != "content-length"}

    answer = request(endpoint, "PUT", where, "new", edit=without_length)
    refused(answer, ("MissingContentLength", 411))
    for value in ("-1", "abc", "1e3", "99999999999999999999", "0x10", ""):
        refused_or_closed(request(endpoint, "PUT", where, "new", extra={"content-length": value}))
    too_long = request(endpoint, "PUT", where, "new", extra={"content-length": str((5 << 30) + 1)})
    refused(too_long, ("EntityTooLarge", 400))


def test_two_lengths_that_differ(endpoint, where):
    """A request that a proxy and we could read differently is no request."""
    both = request(endpoint, "PUT", where, "new", body=b"0\r\n\r\n", extra={"transfer-encoding": "chunked"})
    refused_or_closed(both)
    twice = request(endpoint, "PUT", where, "new", body=b"x", extra={"Content-Length": "0"})
    refused_or_closed(twice)


# Headers, targets and keys

@pytest.mark.parametrize("extra", [
    {"x-huge": "a" * (1 << 20)},
    {f"x-many-{number}": "a" for number in range(20_000)},
    {"x-control": "a\x01b"},
    {"x" * 70_000: "a"},
], ids=["1 MiB value", "20,000 headers", "control character", "70,000 letters of name"])
def test_absurd_headers(endpoint, where, extra):
    answer = request(endpoint, "PUT", where, "new", body=b"x", extra=extra)
    refused_or_closed(answer)


@pytest.mark.parametrize("data", [
    b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
    b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"G" * 100_000,
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"PUT http://x:y@/ HTTP/1.1\r\n\r\n",
    b"GET * HTTP/1.1\r\nhost: x\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", b"\xff\xfe\x00" * 50,
])
def test_not_http(endpoint, data):
    refused_or_closed(exchange(endpoint, data, close_after_send=True))


def target(endpoint, bucket, raw: str, method="PUT", body=b"x") -> Response:
    """A request whose target is `raw`; signed, as the rules have it, in its canonical form."""
    signer = Signer(endpoint.access_key, endpoint.secret_key)
    path = f"/{bucket}/{raw}"
    headers = {"host": endpoint.address, "content-length": str(len(body))}
    canonical = signature.path_of(bucket, unquote_to_bytes(raw))
    signed = signer.sign(method, canonical, "", headers, hashlib.sha256(body).hexdigest())
    return exchange(endpoint, head(method, path, signed) + body)


@pytest.mark.parametrize("raw", ["%ff", "a%C3", "%ED%A0%80", "%C0%AF", "%F8%88%80%80%80", "a%zz", "a%4", "a%"])
def test_keys_that_are_not_utf_8(endpoint, where, raw):
    answer = target(endpoint, where, raw)
    assert (answer.code, answer.status) in [("InvalidURI", 400), ("BadRequest", 400), ("InvalidArgument", 400)], answer


@pytest.mark.parametrize("key", ["x" * 1025, "ü" * 513, "a/" * 600])
def test_keys_that_are_too_long(endpoint, where, key):
    refused(request(endpoint, "PUT", where, key, body=b"x"), ("KeyTooLongError", 400))
    refused(request(endpoint, "GET", where, key), ("KeyTooLongError", 400), ("NoSuchKey", 404))


@pytest.mark.parametrize("raw,key", [
    ("%00", "\0"), ("a%00b", "a\0b"), ("%01%1f", "\x01\x1f"), ("%0d%0aX:y", "\r\nX:y"), ("..", ".."),
    ("../keep", "../keep"),
    ("../../etc/passwd", "../../etc/passwd"), ("%2e%2e%2fkeep", "../keep"), ("./keep", "./keep"), ("/keep", "/keep"),
    ("//", "//"), ("keep/", "keep/"), ("keep%2f..", "keep/.."), ("%EF%BF%BE", "\ufffe"),
])
def test_odd_keys_are_refused_or_kept_to_the_byte(endpoint, where, raw, key):
    """Never another key than the one that was sent, and never a path of the file system."""
    client = endpoint.client()
    answer = target(endpoint, where, raw)
    listed = [item["Key"] for item in client.list_objects_v2(Bucket=where)["Contents"]]
    if answer.status == 200:
        assert sorted(listed) == sorted(["keep", key])
        assert target(endpoint, where, raw, "GET", b"").body == b"x"
        assert target(endpoint, where, raw, "DELETE", b"").status == 204
    else:
        assert answer.status == 400 and answer.code in ("InvalidURI", "InvalidArgument", "BadRequest"), answer
        assert listed == ["keep"]


# Ranges and parts

@pytest.mark.parametrize("value,status", [
    ("bytes=9-", 416), ("bytes=9-20", 416), ("bytes=-0", 416), ("bytes=99999999999999999999-", 416),
    ("bytes=5-2", 200), ("bytes=", 200), ("bytes=a-b", 200), ("bytes=0-1,3-4", 200), ("lines=0-1", 200), ("0-1", 200),
    ("bytes=--1", 200), ("bytes=0-1" + "0" * 5000, None), ("bytes=0-99999999999999999999", None),
])
def test_bad_ranges(endpoint, where, value, status):
    answer = request(endpoint, "GET", where, "keep", headers={"range": value})
    if status == 416:
        refused(answer, ("InvalidRange", 416))
    elif status == 200:
        assert (answer.status, answer.body) == (200, b"untouched")
    else:
        assert answer.status in (200, 206, 416) and answer.body in (b"untouched", answer.body), answer


def test_a_range_of_an_empty_object(endpoint, where):
    client = endpoint.client()
    client.put_object(Bucket=where, Key="new", Body=b"")
    refused(request(endpoint, "GET", where, "new", headers={"range": "bytes=0-"}), ("InvalidRange", 416))
    client.delete_object(Bucket=where, Key="new")


def test_bad_part_numbers(endpoint, where):
    client = endpoint.client()
    upload = client.create_multipart_upload(Bucket=where, Key="new")["UploadId"]
    for number in ("0", "10001", "-1", "abc", "", "1.5", "99999999999999999999"):
        answer = request(endpoint, "PUT", where, "new", f"partNumber={number}&uploadId={upload}", BODY)
        refused(answer, ("InvalidArgument", 400))
    for query in (f"partNumber=1&uploadId={upload[:-1]}", "partNumber=1&uploadId=", "partNumber=1&uploadId=..%2F.."):
        refused(request(endpoint, "PUT", where, "new", query, BODY), ("NoSuchUpload", 404), ("InvalidArgument", 400))
    # An upload belongs to its key.
    refused(request(endpoint, "PUT", where, "other", f"partNumber=1&uploadId={upload}", BODY), ("NoSuchUpload", 404))
    # Half of the question is no plain PUT.
    for query in (f"uploadId={upload}", "partNumber=1"):
        answer = request(endpoint, "PUT", where, "new", query, BODY)
        assert 400 <= answer.status <= 501 and answer.code, answer
    client.abort_multipart_upload(Bucket=where, Key="new", UploadId=upload)


# XML

XML = {
    "two MiB": b"<Delete>" + b"<Object><Key>keep</Key></Object>" * (2 * MIB // 32) + b"</Delete>",
    "two MiB of space": b"<Delete>" + b" " * (2 * MIB) + b"<Object><Key>keep</Key></Object></Delete>",
    "entities": b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
                b"<Delete><Object><Key>&b;</Key></Object></Delete>",
    "an outside entity": b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
                         b"<Delete><Object><Key>&x;</Key></Object></Delete>",
    "an unknown entity": b"<Delete><Object><Key>&nbsp;</Key></Object></Delete>",
    "deep nesting": b"<a>" * 50_000 + b"</a>" * 50_000,
    "no end": b"<Delete><Object><Key>keep</Key></Object>",
    "another root": b"<Remove><Object><Key>keep</Key></Object></Remove>",
    "crossed tags": b"<Delete><Object><Key>keep</Object></Key></Delete>",
    "not XML": b"keep",
    "nothing": b"",
    "not UTF-8": b"<Delete><Object><Key>\xff\xfe</Key></Object></Delete>",
    "a NUL": b"<Delete><Object><Key>a&#0;b</Key></Object></Delete>",
    "no object": b"<Delete></Delete>",
    "no key": b"<Delete><Object></Object></Delete>",
    "UTF-16": '<?xml version="1.0" encoding="UTF-16"?><Delete/>'.encode("utf-16"),
}


@pytest.mark.parametrize("name", XML)
def test_bad_xml(endpoint, where, name):
    body = XML[name]
    headers = {"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    answer = request(endpoint, "POST", where, query="delete=", body=body, headers=headers)
    refused(answer, ("MalformedXML", 400), ("MissingRequestBodyError", 400), ("MaxMessageLengthExceeded", 400),
            ("UserKeyMustBeSpecified", 400), ("InvalidRequest", 400))


@pytest.mark.parametrize("name", XML)
def test_bad_xml_completing_an_upload(endpoint, where, name):
    client = endpoint.client()
    upload = client.create_multipart_upload(Bucket=where, Key="new")["UploadId"]
    client.upload_part(Bucket=where, Key="new", UploadId=upload, PartNumber=1, Body=b"x")
    answer = request(endpoint, "POST", where, "new", f"uploadId={upload}", XML[name])
    refused(answer, ("MalformedXML", 400), ("MissingRequestBodyError", 400), ("MaxMessageLengthExceeded", 400),
            ("InvalidRequest", 400))
    client.abort_multipart_upload(Bucket=where, Key="new", UploadId=upload)


# Connections

def test_expect_continue_is_answered_before_the_body(endpoint, where):
    """And at once, as clients wait for it a second at most: the quickest of some counts, on a machine that is busy."""
    took = []
    while len(took) < ATTEMPTS and min(took, default=AT_ONCE) >= AT_ONCE:
        took.append(seconds_until_continue(endpoint, where))
    assert min(took) < AT_ONCE, took


def seconds_until_continue(endpoint, where) -> float:
    signer = Signer(endpoint.access_key, endpoint.secret_key)
    path = signature.path_of(where, "new")
    headers = signer.sign("PUT", path, "", {"host": endpoint.address, "content-length": str(len(BODY))}, SHA)
    with socket.create_connection((endpoint.host, endpoint.port), TIMEOUT) as connection:
        began = time.monotonic()
        connection.sendall(head("PUT", path, {**headers, "expect": "100-continue"}))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        took = time.monotonic() - began
        connection.sendall(BODY)
        assert read_response(connection).status == 200
    endpoint.client().delete_object(Bucket=where, Key="new")
    return took


def test_expect_continue_is_refused_before_the_body(endpoint, where):
    """A client that may not write never sends its gigabytes."""
    signer = Signer(endpoint.access_key, "wrong" * 8)
    path = signature.path_of(where, "new")
    headers = signer.sign("PUT", path, "", {"host": endpoint.address, "content-length": str(1 << 30)}, UNSIGNED)
    answer = exchange(endpoint, head("PUT", path, {**headers, "expect": "100-continue"}))
    refused(answer, ("SignatureDoesNotMatch", 403))


def test_many_idle_connections_do_no_harm(endpoint, where):
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(socket.create_connection((endpoint.host, endpoint.port), TIMEOUT))
            connection.sendall(b"PUT /")
        assert endpoint.client().get_object(Bucket=where, Key="keep")["Body"].read() == b"untouched"
