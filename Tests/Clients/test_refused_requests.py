"""What asks for more than is built, or says something that does not fit, is refused, and nothing is changed by it."""

import pytest

from support.raw import request
from support.signature import UNSIGNED

DATA = b"seven pixels"
LONG_AGO = "Tue, 14 Nov 2000 22:13:20 GMT"


def refusal(answer) -> tuple[str, int]:
    return answer.code, answer.status


def holds(s3, bucket, data=DATA) -> bool:
    return s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data


@pytest.mark.parametrize("name, value", [
    ("if-match", ""), ("if-match", "  "), ("if-match", ","), ("if-match", '""'), ("if-match", '"a", "b"'),
    ("if-none-match", "*"), ("if-none-match", '"x"'),
    ("if-modified-since", LONG_AGO), ("if-unmodified-since", LONG_AGO),
])
def test_nothing_is_deleted_regardless_of_a_condition(endpoint, s3, bucket, name, value):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    assert refusal(request(endpoint, "DELETE", bucket, "k", extra={name: value})) == ("NotImplemented", 501)
    assert holds(s3, bucket)


def test_a_delete_of_one_version_alone(endpoint, s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=DATA)["ETag"]
    other = request(endpoint, "DELETE", bucket, "k", extra={"if-match": '"x"'})
    assert refusal(other) == ("PreconditionFailed", 412)
    assert holds(s3, bucket)
    assert request(endpoint, "DELETE", bucket, "k", extra={"if-match": tag}).status == 204


def test_conditions_of_an_upload_are_its_completions(endpoint, s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=DATA)["ETag"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for method, query in [("PUT", f"partNumber=1&uploadId={upload}"), ("DELETE", f"uploadId={upload}")]:
        for condition in ({"if-match": tag}, {"if-none-match": "*"}):
            answer = request(endpoint, method, bucket, "k", query, DATA if method == "PUT" else b"", extra=condition)
            assert refusal(answer) == ("NotImplemented", 501)
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)
    # minio-go says it when it begins, too: there it is looked at, and decides nothing for later.
    assert refusal(request(endpoint, "POST", bucket, "k", "uploads=", extra={"if-none-match": "*"})) == \
        ("PreconditionFailed", 412)
    assert request(endpoint, "POST", bucket, "k", "uploads=", extra={"if-match": tag}).status == 200
    assert request(endpoint, "POST", bucket, "new", "uploads=", extra={"if-none-match": "*"}).status == 200


@pytest.mark.parametrize("condition, expected", [
    ({"if-match": "*"}, None), ({"if-none-match": '"x"'}, None), ({"if-none-match": "*"}, ("PreconditionFailed", 412)),
    ({"if-match": '"x"'}, ("PreconditionFailed", 412)),
])
def test_copies_heed_both_conditions_in_both_forms(endpoint, s3, bucket, condition, expected):
    s3.put_object(Bucket=bucket, Key="source", Body=b"new")
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    answer = request(endpoint, "PUT", bucket, "k", "", b"", {"x-amz-copy-source": f"{bucket}/source"}, extra=condition)
    assert (answer.status == 200) if expected is None else (refusal(answer) == expected)
    assert holds(s3, bucket, b"new" if expected is None else DATA)


@pytest.mark.parametrize("headers, payload", [
    ({"content-encoding": "aws-chunked"}, UNSIGNED),
    ({"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "5"}, None),
    ({"x-amz-decoded-content-length": "5"}, UNSIGNED),
])
def test_frames_are_not_stored(endpoint, s3, bucket, headers, payload):
    framed = b"5\r\nhello\r\n0\r\n\r\n"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for query in ("", f"partNumber=1&uploadId={upload}"):
        answer = request(endpoint, "PUT", bucket, "k", query, framed, headers, payload)
        assert refusal(answer) == ("InvalidArgument", 400)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)


def test_a_part_of_an_object_does_not_replace_it(endpoint, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    answer = request(endpoint, "PUT", bucket, "k", "", b"x", extra={"content-range": f"bytes 0-0/{len(DATA)}"})
    assert refusal(answer) == ("NotImplemented", 501)
    assert holds(s3, bucket)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_copy_source_of_what_is_no_copy(endpoint, s3, bucket, method):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    answer = request(endpoint, method, bucket, "k", headers={"x-amz-copy-source": f"{bucket}/k"})
    assert (answer.status, answer.code) == (400, "" if method == "HEAD" else "InvalidArgument")
    assert holds(s3, bucket)


def test_a_copy_source_that_no_bucket_can_have(endpoint, bucket):
    answer = request(endpoint, "PUT", bucket, "k", headers={"x-amz-copy-source": "Not_one/k"})
    assert (refusal(answer), answer.message) == (("InvalidArgument", 400), "Invalid copy source bucket name")


@pytest.mark.parametrize("method, key, query, allowed", [
    ("POST", "k", "", "GET, HEAD, PUT, DELETE"), ("HEAD", "k", "tagging=", "GET, PUT, DELETE"),
    ("PUT", "", "uploads=", "GET"),
])
def test_a_method_that_is_not_there(endpoint, bucket, method, key, query, allowed):
    answer = request(endpoint, method, bucket, key, query)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)
