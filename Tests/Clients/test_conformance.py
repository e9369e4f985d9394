"""Details of S3 that suites and SDKs look at: each was once answered otherwise than AWS does."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from support.raw import exchange, head, request
from support.signature import EMPTY_SHA256, STREAMING_UNSIGNED_TRAILER, UNSIGNED, Signer, path_of
from support.uploads import DATA, begun, code, complete, crc32, refusal


# Signatures

def test_the_hash_of_the_payload_need_not_be_among_the_signed_headers(endpoint, bucket):
    """It is a line of what is signed by itself (AWS: "optional")."""
    alone = ("x-amz-content-sha256",)
    assert request(endpoint, "PUT", bucket, "k", "", DATA, unsigned=alone).status == 200
    changed = request(
        endpoint, "PUT", bucket, "k", "", DATA, unsigned=alone,
        edit=lambda headers: headers | {"x-amz-content-sha256": UNSIGNED},
    )
    assert refusal(changed) == ("SignatureDoesNotMatch", 403)


@pytest.mark.parametrize("payload", ["invalid", "unsigned-payload", STREAMING_UNSIGNED_TRAILER, EMPTY_SHA256])
def test_what_a_presigned_url_says_of_the_payload_is_a_digest(endpoint, s3, bucket, payload):
    """It is compared with the body, where there is one."""
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    path = path_of(bucket, "k")

    def send(method, body=b""):
        signed = {"host": endpoint.address, "x-amz-content-sha256": payload}
        signer = Signer(endpoint.access_key, endpoint.secret_key)
        query = signer.presign(method, path, "", signed, payload=payload)
        headers = signed | {"content-length": str(len(body))}
        return exchange(endpoint, head(method, f"{path}?{query}", headers) + body)

    assert send("GET").body == DATA
    answer = send("PUT", b"other")
    assert refusal(answer) == ("XAmzContentSHA256Mismatch", 400)
    assert f"<ClientComputedContentSHA256>{payload}<".encode() in answer.body
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA


@pytest.mark.parametrize("headers, expected", [
    ({}, ("BadRequest", 400)), ({"origin": "http://example.org"}, ("BadRequest", 400)),
    ({"origin": "http://example.org", "access-control-request-method": "PUT"}, ("AccessForbidden", 403)),
])
def test_a_browser_asks_before_it_signs(endpoint, bucket, headers, expected):
    """With the query of the request that follows, whose signature is that request's own."""
    path = path_of(bucket, "k")
    host = {"host": endpoint.address}
    query = Signer(endpoint.access_key, endpoint.secret_key).presign("PUT", path, "", host)
    for target in (path, f"{path}?{query}"):
        assert refusal(exchange(endpoint, head("OPTIONS", target, host | headers))) == expected


# Protection that is not built is refused

@pytest.mark.parametrize("header", [
    "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-event-hold", "x-amz-object-lock-duration-days",
])
def test_every_lock_is_refused(endpoint, bucket, header):
    answer = request(endpoint, "PUT", bucket, "k", "", DATA, {header: "ON"})
    assert refusal(answer) == ("InvalidRequest", 400)


def test_governance_is_bypassed_where_there_is_none(s3, bucket):
    """Suites and tools that clean up send it with every deletion."""
    for key in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=DATA)
    s3.delete_object(Bucket=bucket, Key="a", BypassGovernanceRetention=True)
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}]}, BypassGovernanceRetention=True)
    assert [entry["Key"] for entry in answer["Deleted"]] == ["b"]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_what_is_private_can_be_made_private(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA
    for acl, expected in (("public-read", ("NotImplemented", 501)), ("nonsense", ("InvalidArgument", 400))):
        for act in (lambda: s3.put_object_acl(Bucket=bucket, Key="k", ACL=acl),
                    lambda: s3.put_bucket_acl(Bucket=bucket, ACL=acl)):
            with pytest.raises(ClientError) as error:
                act()
            assert code(error) == expected
    with pytest.raises(ClientError) as error:
        s3.put_object_acl(Bucket=bucket, Key="none", ACL="private")
    assert code(error) == ("NoSuchKey", 404)


@pytest.mark.parametrize("exists, condition, expected", [
    (True, {"IfMatch": "*"}, None), (False, {"IfMatch": "*"}, ("NoSuchKey", 404)),
    (True, {"IfNoneMatch": "other"}, None), (False, {"IfNoneMatch": "other"}, None),
    (True, {"IfNoneMatch": "current"}, ("PreconditionFailed", 412)),
])
def test_both_conditions_of_a_write_in_both_forms(s3, bucket, exists, condition, expected):
    if exists:
        tag = s3.put_object(Bucket=bucket, Key="k", Body=DATA)["ETag"]
        condition = {name: tag if value == "current" else value for name, value in condition.items()}
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"new")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    writes = [lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"new", **condition),
              lambda: s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts,
                                                   **condition)]
    if expected is None:
        writes[0]()
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"
        return
    for write in writes:
        with pytest.raises(ClientError) as error:
            write()
        assert code(error) == expected


@pytest.mark.parametrize("name", ["foo.-bar", "foo-.bar", "foo..bar", "foo._bar"])
def test_labels_of_bucket_names_begin_and_end_as_those_of_hosts(endpoint, name):
    assert refusal(request(endpoint, "PUT", name, "", "", b"")) == ("InvalidBucketName", 400)


def test_the_prefix_of_a_list_comes_as_clients_read_it(endpoint, bucket):
    plain = request(endpoint, "GET", bucket, "", "encoding-type=url&prefix=%0A%20", b"")
    assert b"<Prefix>\n </Prefix>" in plain.body or b"<Prefix>&#xA; </Prefix>" in plain.body, plain
    for prefix in [b"a%2B", b"100%25"]:
        listed = request(endpoint, "GET", bucket, "", f"encoding-type=url&prefix={prefix.decode()}", b"")
        assert b"<Prefix>" + prefix + b"</Prefix>" in listed.body
    assert b"<Prefix>%01</Prefix>" in request(endpoint, "GET", bucket, "", "encoding-type=url&prefix=%01", b"").body


def test_a_resumed_download_is_of_one_version(endpoint, s3, bucket):
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"old-old")["ETag"]
    new = s3.put_object(Bucket=bucket, Key="k", Body=b"new-new")["ETag"]
    for validator, status, body in [(old, 200, b"new-new"), (new, 206, b"new")]:
        answer = request(endpoint, "GET", bucket, "k", "", b"", {"range": "bytes=4-", "if-range": validator})
        assert (answer.status, answer.body) == (status, body)


def test_parameters_of_lists_delete_and_make_nothing(endpoint, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    for method, key, query in [("DELETE", "", "versionId=null"), ("DELETE", "", "prefix=a"), ("PUT", "k", "id=1"),
                               ("DELETE", "k", "list-type=2"), ("PUT", "k", "max-keys=1")]:
        assert refusal(request(endpoint, method, bucket, key, query, b"")) == ("InvalidArgument", 400)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA


def test_a_client_in_another_region_finds_the_bucket(endpoint, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    abroad = endpoint.client(region="eu-west-1", retries=2)
    assert abroad.head_object(Bucket=bucket, Key="k")["ContentLength"] == len(DATA)


@pytest.mark.parametrize("query,name", [
    ("max-keys=-1", "maxKeys"), ("list-type=2&max-keys=-1", "maxKeys"), ("versions=&max-keys=-1", "maxKeys"),
    ("uploads=&max-uploads=-1", "max-uploads"),
])
def test_a_page_of_fewer_than_none_in_awss_words(endpoint, bucket, query, name):
    answer = request(endpoint, "GET", bucket, "", query)
    assert refusal(answer) == ("InvalidArgument", 400)
    assert answer.message == f"Argument {name} must be an integer between 0 and 2147483647"
    assert f"<ArgumentName>{name}</ArgumentName>".encode() in answer.body


def test_an_empty_page_of_parts_is_the_last(s3, bucket):
    upload, _ = begun(s3, bucket)
    assert not s3.list_parts(Bucket=bucket, Key="k", UploadId=upload, MaxParts=0)["IsTruncated"]


def test_an_empty_page_of_an_objects_parts_is_the_last(s3, bucket):
    upload, parts = begun(s3, bucket, ChecksumAlgorithm="CRC32")
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    page = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=0)["ObjectParts"]
    assert (page["IsTruncated"], page["MaxParts"], page.get("NextPartNumberMarker")) == (False, 0, None)


def test_a_copy_has_a_checksum_of_all_its_bytes(s3, bucket):
    upload, parts = begun(s3, bucket, ChecksumAlgorithm="CRC32")
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    copy = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k", ChecksumAlgorithm="CRC32")
    result = copy["CopyObjectResult"]
    assert (result["ChecksumCRC32"], result["ChecksumType"]) == (crc32(DATA), "FULL_OBJECT")


def test_tags_come_in_order_of_their_keys(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA, Tagging="b=2&c=3&a=1")
    tags = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert [tag["Key"] for tag in tags] == ["a", "b", "c"]


@pytest.mark.parametrize("text", ["bytes= -1", "bytes=0 -1", "bytes=0- 1", "bytes =0-1"])
def test_a_range_with_spaces_is_none(endpoint, s3, bucket, text):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    answer = request(endpoint, "GET", bucket, "k", "", b"", {"range": text})
    assert (answer.status, answer.body) == (200, DATA)


def test_a_part_has_its_objects_kind_of_checksum(s3, bucket):
    upload, parts = begun(s3, bucket, ChecksumAlgorithm="SHA256")
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    part = s3.head_object(Bucket=bucket, Key="k", PartNumber=1, ChecksumMode="ENABLED")
    digest = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert (part["ChecksumSHA256"], part["ChecksumType"]) == (digest, "COMPOSITE")
    assert s3.get_object(Bucket=bucket, Key="k", PartNumber=1, ChecksumMode="ENABLED")["Body"].read() == DATA


# Uploads

def test_an_upload_that_never_was_cannot_be_completed(s3, bucket):
    upload, parts = begun(s3, bucket)
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    # An answer that was lost: the same again.
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    more = {"Parts": parts["Parts"] + [{"PartNumber": 2, "ETag": "other"}]}
    for wrong, listed in [("deadbeef", parts), (upload, more)]:
        with pytest.raises(ClientError) as error:
            s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=wrong, MultipartUpload=listed)
        assert code(error) == ("NoSuchUpload", 404)


def test_completions_side_by_side(s3, bucket):
    """As when a client asks again before it has heard: each is told of the object that is there."""
    with ThreadPoolExecutor(6) as pool:
        for _ in range(8):
            upload, parts = begun(s3, bucket)
            asked = [
                pool.submit(
                    s3.complete_multipart_upload, Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts
                ) for _ in range(6)
            ]
            assert len({each.result()["ETag"] for each in asked}) == 1


def test_a_bucket_goes_with_its_open_uploads(endpoint, s3):
    name = "test-open-uploads"
    s3.create_bucket(Bucket=name)
    for key in ["a", "a", "b"]:
        begun(s3, name, key)
    s3.delete_bucket(Bucket=name)
    s3.create_bucket(Bucket=name)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=name)
    begun(s3, name)
    s3.put_object(Bucket=name, Key="k", Body=DATA)
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket=name)
    assert code(error) == ("BucketNotEmpty", 409)
    assert len(s3.list_multipart_uploads(Bucket=name)["Uploads"]) == 1
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)


def test_a_completion_without_a_document_is_malformed(endpoint, s3, bucket):
    upload, _ = begun(s3, bucket)
    answer = request(endpoint, "POST", bucket, "k", f"uploadId={upload}")
    assert refusal(answer) == ("MalformedXML", 400)
    answer = complete(endpoint, bucket, upload, {"Parts": [{"PartNumber": 0, "ETag": "x"}]}, {})
    assert refusal(answer) == ("InvalidArgument", 400)


def test_what_a_document_says_of_itself_is_compared(endpoint, s3, bucket):
    wrong = {"content-md5": base64.b64encode(bytes(16)).decode()}
    upload, parts = begun(s3, bucket)
    assert refusal(complete(endpoint, bucket, upload, parts, wrong)) == ("BadDigest", 400)
    assert complete(endpoint, bucket, upload, parts, {}).status == 200
    assert refusal(request(endpoint, "PUT", "test-wrong-digest", "", "", b"", wrong)) == ("BadDigest", 400)


def test_a_part_without_an_etag_is_none_of_them(endpoint, s3, bucket):
    upload, _ = begun(s3, bucket)
    answer = complete(endpoint, bucket, upload, {"Parts": [{"PartNumber": 1, "ETag": ""}]}, {})
    assert refusal(answer) == ("InvalidPart", 400)


def test_a_completion_tells_where_the_object_is(endpoint, s3, bucket):
    upload, parts = begun(s3, bucket)
    answer = s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    assert answer["Location"] == f"http://{endpoint.address}/{bucket}/k"


def test_a_time_still_to_come_is_no_condition(s3, bucket):
    """A client whose clock is ahead is given what it asks for."""
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    later = "Fri, 01 Jan 2100 00:00:00 GMT"
    assert s3.get_object(Bucket=bucket, Key="k", IfModifiedSince=later)["Body"].read() == DATA
    s3.copy_object(
        Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"}, CopySourceIfModifiedSince=later
    )


def test_standard_headers_over_two_kib_are_refused(endpoint, s3, bucket):
    answer = request(endpoint, "PUT", bucket, "k", "", DATA, {"content-disposition": "d" * 3000})
    assert refusal(answer) == ("MetadataTooLarge", 400)
    assert b"<Size>3019</Size><MaxSizeAllowed>2048</MaxSizeAllowed>" in answer.body
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_declared_length_that_is_not_the_objects(endpoint, s3, bucket):
    upload, parts = begun(s3, bucket)
    answer = complete(endpoint, bucket, upload, parts, {"x-amz-mp-object-size": "7"})
    assert refusal(answer) == ("InvalidRequest", 400)


# Versions of buckets that have none

@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_what_cannot_be_a_version_id(endpoint, s3, bucket, method):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    answer = request(endpoint, method, bucket, "k", "versionId=foo")
    assert answer.status == 400
    assert method == "HEAD" or answer.code == "InvalidArgument"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA


def test_a_version_that_is_not_there(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    version = "3sL4kqtJlcpXroDTDmJ.rUgDbMvGPbRX"
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", VersionId=version)
    assert code(error) == ("NoSuchVersion", 404)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [
        {"Key": "k", "VersionId": version}, {"Key": "k", "VersionId": "foo"}, {"Key": "none"},
    ]})
    assert [entry["Key"] for entry in answer["Deleted"]] == ["k", "none"]
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [("k", "NoSuchVersion")]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": "foo"}]})
    assert [entry["Code"] for entry in answer["Errors"]] == ["NoSuchVersion"]


def test_an_empty_version_is_no_version(endpoint, s3, bucket):
    """Serializers write it where a version is not set."""
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    document = b"<Delete><Object><Key>k</Key><VersionId/></Object></Delete>"
    digest = {"content-md5": base64.b64encode(hashlib.md5(document).digest()).decode()}
    answer = request(endpoint, "POST", bucket, "", "delete=", document, digest)
    assert b"<Deleted><Key>k</Key></Deleted>" in answer.body
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


# Names

@pytest.mark.parametrize("query", ["?nonsense", "?versionId=null&nonsense"])
def test_a_copy_source_names_nothing_but_a_version(endpoint, s3, bucket, query):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    answer = request(endpoint, "PUT", bucket, "copy", headers={"x-amz-copy-source": f"{bucket}/k{query}"})
    assert refusal(answer) == ("InvalidArgument", 400)
    s3.put_object(Bucket=bucket, Key=f"k{query}", Body=b"odd")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": f"k{query}"})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"odd"


def test_a_plus_in_a_copy_source_is_a_space(endpoint, s3, bucket):
    s3.put_object(Bucket=bucket, Key="a b", Body=DATA)
    answer = request(endpoint, "PUT", bucket, "copy", headers={"x-amz-copy-source": f"{bucket}/a+b"})
    assert answer.status == 200
    s3.put_object(Bucket=bucket, Key="a+b", Body=b"plus")
    answer = request(endpoint, "PUT", bucket, "copy", headers={"x-amz-copy-source": f"{bucket}/a%2Bb"})
    assert answer.status == 200
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"plus"


def test_keys_below_a_dash_are_keys_on_a_buckets_own_host(servers):
    server = servers("--domain", "s3.test", "--domain", "deep.s3.test").start()
    s3 = server.client()
    s3.create_bucket(Bucket="dash")
    s3.put_object(Bucket="dash", Key="-/ready", Body=DATA)
    signer = Signer(server.access_key, server.secret_key)

    def get(host, path):
        headers = signer.sign("GET", path, "", {"host": host, "content-length": "0"}, UNSIGNED)
        return exchange(server, head("GET", path, headers))

    assert get("dash.s3.test", "/-/ready").body == DATA
    assert get("s3.test", "/-/ready").body == b"ready\n"
    # A domain that ends with another one is the service, not a bucket.
    assert b"<ListAllMyBucketsResult" in get("deep.s3.test", "/").body


# Small things

@pytest.mark.parametrize("quotes", ['{}"', '"{}', "{}", '"{}"'])
def test_a_quote_may_be_missing(endpoint, s3, bucket, quotes):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    tag = quotes.format(hashlib.md5(DATA).hexdigest())
    assert request(endpoint, "GET", bucket, "k", headers={"if-match": tag}).status == 200
    assert request(endpoint, "PUT", bucket, "k", "", DATA, {"if-match": tag}).status == 200


@pytest.mark.parametrize("query, headers, expected", [
    ("response-foo=bar", {}, ("InvalidArgument", 400)),
    ("annotation=foo", {}, ("NotImplemented", 501)),
    ("partNumber=0", {"range": "bytes=0-1"}, ("InvalidRequest", 400)),
    ("attributes=", {}, ("InvalidRequest", 400)),
    ("attributes=", {"x-amz-object-attributes": "Colour"}, ("InvalidArgument", 400)),
])
def test_reads_that_are_refused(endpoint, s3, bucket, query, headers, expected):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    assert refusal(request(endpoint, "GET", bucket, "k", query, headers=headers)) == expected


@pytest.mark.parametrize("headers, expected", [
    ({"x-amz-tagging": "="}, ("InvalidArgument", 400)),
    ({"x-amz-tagging": "=b"}, ("InvalidArgument", 400)),
])
def test_writes_that_are_refused(endpoint, s3, bucket, headers, expected):
    assert refusal(request(endpoint, "PUT", bucket, "k", "", DATA, headers)) == expected
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_body_whose_length_is_not_told(endpoint, bucket):
    signer = Signer(endpoint.access_key, endpoint.secret_key)
    path = path_of(bucket, "k")
    headers = signer.sign("PUT", path, "", {"host": endpoint.address, "transfer-encoding": "chunked"}, UNSIGNED)
    assert refusal(exchange(endpoint, head("PUT", path, headers) + b"0\r\n\r\n")) == ("NotImplemented", 501)


@pytest.mark.parametrize("location, expected", [
    ("nowhere", "InvalidLocationConstraint"), ("eu-central-1", "IllegalLocationConstraintException"),
])
def test_places_where_no_bucket_can_be(s3, location, expected):
    with pytest.raises(ClientError) as error:
        s3.create_bucket(Bucket="test-elsewhere", CreateBucketConfiguration={"LocationConstraint": location})
    assert code(error) == (expected, 400)


def test_the_coding_of_the_transfer_is_not_the_objects(endpoint, s3, bucket):
    for given, kept in [("aws-chunked, deflate, gzip", "deflate, gzip"), ("AWS-Chunked", None), ("gzip", "gzip")]:
        assert request(endpoint, "PUT", bucket, "k", "", DATA, {"content-encoding": given}).status == 200
        assert request(endpoint, "HEAD", bucket, "k").headers.get("content-encoding") == kept
