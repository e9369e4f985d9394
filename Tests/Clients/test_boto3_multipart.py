"""Multipart uploads, checksums of every kind, and presigned requests through boto3."""

import base64
import hashlib
import io
import urllib.error
import urllib.request
import zlib

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from support.data import MIB, noise, sha256
from support.raw import TIMEOUT
from support.server import wait_for

PART = 5 * MIB
# What AWS allows: the CRCs of the whole object or of its parts, CRC64NVME only whole, all others only composite.
DIGESTS = ["SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"]
ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", *DIGESTS]
KINDS = [("CRC32", "FULL_OBJECT"), ("CRC32", "COMPOSITE"), ("CRC32C", "FULL_OBJECT"), ("CRC32C", "COMPOSITE"),
         ("CRC64NVME", "FULL_OBJECT"), *((digest, "COMPOSITE") for digest in DIGESTS)]
FORBIDDEN = [("CRC64NVME", "COMPOSITE"), *((digest, "FULL_OBJECT") for digest in DIGESTS)]


def code(error) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def reference(algorithm: str, data: bytes) -> bytes:
    """A second computation of a checksum, by another program than the server and its libraries."""
    if algorithm == "CRC32":
        return zlib.crc32(data).to_bytes(4, "big")
    if algorithm in ("SHA1", "SHA256", "SHA512", "MD5"):
        return hashlib.new(algorithm.lower(), data).digest()
    from awscrt import checksums

    if algorithm == "CRC32C":
        return checksums.crc32c(data).to_bytes(4, "big")
    if algorithm == "CRC64NVME":
        return checksums.crc64nvme(data).to_bytes(8, "big")
    xxhash = checksums.XXHash
    return {
        "XXHASH64": xxhash.compute_xxhash64, "XXHASH3": xxhash.compute_xxhash3_64,
        "XXHASH128": xxhash.compute_xxhash3_128,
    }[algorithm](data)


def coded(algorithm: str, data: bytes) -> str:
    return base64.b64encode(reference(algorithm, data)).decode()


def asking(algorithm: str, data: bytes) -> dict[str, str]:
    """What makes boto3 send a checksum of `data`: it computes all but MD5 itself."""
    return {"ChecksumMD5": coded("MD5", data)} if algorithm == "MD5" else {"ChecksumAlgorithm": algorithm}


def upload(s3, bucket, key, parts, **options):
    """Uploads `parts` in order; gives what CompleteMultipartUpload is to be called with."""
    algorithm = options.get("ChecksumAlgorithm")
    made = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)
    listed = []
    for number, data in enumerate(parts, 1):
        extra = asking(algorithm, data) if algorithm else {}
        answer = s3.upload_part(
            Bucket=bucket, Key=key, UploadId=made["UploadId"], PartNumber=number, Body=data, **extra
        )
        assert answer["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
        part = {"PartNumber": number, "ETag": answer["ETag"]}
        if algorithm:
            part[f"Checksum{algorithm}"] = answer[f"Checksum{algorithm}"]
        listed.append(part)
    return {"Bucket": bucket, "Key": key, "UploadId": made["UploadId"], "MultipartUpload": {"Parts": listed}}


def test_parts_become_one_object(s3, bucket):
    parts = [noise(PART, 1), noise(PART + 12345, 2), noise(777, 3)]
    whole = b"".join(parts)
    done = s3.complete_multipart_upload(**upload(s3, bucket, "k", parts, Metadata={"m": "1"}, ContentType="image/png"))
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Metadata"], got["ContentType"]) == ({"m": "1"}, "image/png")
    assert sha256(got["Body"].read()) == sha256(whole)
    for number, part in enumerate(parts, 1):
        one = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert one["PartsCount"] == 3
        assert one["Body"].read() == part
    across = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={PART - 10}-{PART + 9}")["Body"].read()
    assert across == whole[PART - 10:PART + 10]
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", PartNumber=4)
    assert code(error) == ("InvalidPartNumber", 416)


@pytest.mark.parametrize("algorithm,kind", KINDS)
def test_multipart_checksums(s3, bucket, algorithm, kind):
    parts = [noise(PART, algorithm), noise(PART, kind), noise(1000, "last")]
    whole = b"".join(parts)
    finish = upload(s3, bucket, "k", parts, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    if kind == "FULL_OBJECT":
        expected = coded(algorithm, whole)
        finish[f"Checksum{algorithm}"] = expected
    else:
        digests = b"".join(reference(algorithm, part) for part in parts)
        expected = coded(algorithm, digests) + "-3"
        finish[f"Checksum{algorithm}"] = expected
    named = s3.list_parts(Bucket=bucket, Key="k", UploadId=finish["UploadId"])
    assert (named["ChecksumAlgorithm"], named["ChecksumType"]) == (algorithm, kind)
    of_parts = [coded(algorithm, part) for part in parts]
    assert [part[f"Checksum{algorithm}"] for part in named["Parts"]] == of_parts
    done = s3.complete_multipart_upload(**finish, ChecksumType=kind)
    assert done[f"Checksum{algorithm}"] == expected
    assert done["ChecksumType"] == kind
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (expected, kind)
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectParts"])
    # GetObjectAttributes gives a composite checksum without the number of parts.
    assert attributes["Checksum"][f"Checksum{algorithm}"] == expected.split("-")[0]
    assert attributes["ObjectParts"]["TotalPartsCount"] == 3
    # Single parts are listed only where the whole's checksum is made of theirs.
    listed = attributes["ObjectParts"].get("Parts", [])
    assert [part[f"Checksum{algorithm}"] for part in listed] == (of_parts if kind == "COMPOSITE" else [])
    # boto3 verifies what it can compute of the whole.
    assert s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["Body"].read() == whole


@pytest.mark.parametrize("algorithm,kind", FORBIDDEN)
def test_multipart_checksums_that_aws_refuses(s3, bucket, algorithm, kind):
    with pytest.raises(ClientError) as error:
        s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert code(error) == ("InvalidRequest", 400)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_checksums_of_a_single_put(s3, bucket, algorithm):
    data = noise(3 * MIB + 1, algorithm)
    expected = coded(algorithm, data)
    # Computed by the client in a trailer where it can, then given in a header.
    put = s3.put_object(Bucket=bucket, Key="trailer", Body=io.BytesIO(data), **asking(algorithm, data))
    assert put[f"Checksum{algorithm}"] == expected
    s3.put_object(Bucket=bucket, Key="header", Body=data, **{f"Checksum{algorithm}": expected})
    for key in ("trailer", "header"):
        got = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        assert got[f"Checksum{algorithm}"] == expected
        assert got["Body"].read() == data
    wrong = base64.b64encode(bytes([reference(algorithm, data)[0] ^ 1]) + reference(algorithm, data)[1:]).decode()
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="wrong", Body=data, **{f"Checksum{algorithm}": wrong})
    assert code(error) == ("BadDigest", 400)
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="wrong")
    copied = s3.copy_object(
        Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "header"}, ChecksumAlgorithm=algorithm
    )
    assert copied["CopyObjectResult"][f"Checksum{algorithm}"] == expected
    head = s3.head_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (expected, "FULL_OBJECT")
    attributes = s3.get_object_attributes(Bucket=bucket, Key="copy", ObjectAttributes=["Checksum"])
    assert attributes["Checksum"] == {f"Checksum{algorithm}": expected, "ChecksumType": "FULL_OBJECT"}


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_a_copied_part_has_the_checksum_of_its_upload(s3, bucket, algorithm):
    data = noise(PART + 7, algorithm)
    s3.put_object(Bucket=bucket, Key="source", Body=data)
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm)["UploadId"]
    where = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    name = f"Checksum{algorithm}"
    copied = s3.upload_part_copy(
        **where, PartNumber=1, CopySource={"Bucket": bucket, "Key": "source"}, CopySourceRange=f"bytes=3-{PART - 1}"
    )["CopyPartResult"]
    assert copied[name] == coded(algorithm, data[3:PART])
    part = {"PartNumber": 1, "ETag": copied["ETag"], name: copied[name]}
    done = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [part]})
    assert done[name] == coded(algorithm, reference(algorithm, data[3:PART])) + "-1"


def test_wrong_complete_requests(s3, bucket):
    finish = upload(s3, bucket, "k", [noise(PART, 1), noise(PART, 2)])
    parts = finish["MultipartUpload"]["Parts"]
    bad_tag = {"PartNumber": 1, "ETag": '"0123456789abcdef0123456789abcdef"'}
    for wrong, expected in [
        ([parts[1], parts[0]], "InvalidPartOrder"),
        ([parts[0], parts[0]], "InvalidPartOrder"),
        ([bad_tag, parts[1]], "InvalidPart"),
        ([parts[0], parts[1], {"PartNumber": 3, "ETag": parts[0]["ETag"]}], "InvalidPart"),
        ([], "MalformedXML"),
    ]:
        with pytest.raises(ClientError) as error:
            s3.complete_multipart_upload(**{**finish, "MultipartUpload": {"Parts": wrong}})
        assert code(error) == (expected, 400)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.complete_multipart_upload(**finish, IfNoneMatch="*")
    # Completing once more gives the same answer; a client whose first answer was lost asks again.
    s3.complete_multipart_upload(**finish, IfNoneMatch="*")
    s3.complete_multipart_upload(**finish)


def test_small_parts_are_refused(s3, bucket):
    finish = upload(s3, bucket, "k", [noise(PART - 1, 1), noise(10, 2)])
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(**finish)
    assert code(error) == ("EntityTooSmall", 400)
    told = error.value.response["Error"]
    first = finish["MultipartUpload"]["Parts"][0]
    assert (told["PartNumber"], told["ETag"], told["ProposedSize"], told["MinSizeAllowed"]) == \
        ("1", first["ETag"].strip('"'), str(PART - 1), str(PART))


def test_parts_may_be_sent_again_left_out_and_listed(s3, bucket):
    made = s3.create_multipart_upload(Bucket=bucket, Key="k")
    where = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}
    for number, seed in [(1, "old"), (7, "seven"), (10000, "left out"), (1, "new")]:
        s3.upload_part(**where, PartNumber=number, Body=noise(PART, seed))
    pages = [s3.list_parts(**where, MaxParts=1)]
    while pages[-1]["IsTruncated"]:
        pages.append(s3.list_parts(**where, MaxParts=1, PartNumberMarker=pages[-1]["NextPartNumberMarker"]))
    parts = [part for page in pages for part in page["Parts"]]
    assert [(part["PartNumber"], part["Size"]) for part in parts] == [(1, PART), (7, PART), (10000, PART)]
    chosen = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts[:2]]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": chosen})
    got = s3.get_object(Bucket=bucket, Key="k")["Body"].read()
    assert sha256(got) == sha256(noise(PART, "new") + noise(PART, "seven"))


@pytest.mark.parametrize("algorithm", ["SHA256", "CRC32", "CRC32C", "SHA1", "XXHASH64"])
def test_gaps_between_parts_with_checksums_are_refused(s3, bucket, algorithm):
    """AWS: numbers from 1 on, one after another, or `InvalidPartOrder`."""
    made = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm)
    where = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}
    sent = {}
    for number in (1, 2, 3, 7):
        answer = s3.upload_part(**where, PartNumber=number, Body=noise(PART, number), ChecksumAlgorithm=algorithm)
        name = f"Checksum{algorithm}"
        sent[number] = {"PartNumber": number, "ETag": answer["ETag"], name: answer[name]}
    for numbers in [(1, 3, 7), (2, 3), (3,)]:
        with pytest.raises(ClientError) as error:
            s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [sent[number] for number in numbers]})
        assert code(error) == ("InvalidPartOrder", 400), numbers
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [sent[number] for number in (1, 2, 3)]})


def test_listed_part_numbers_are_those_that_reads_take(s3, bucket):
    sent = [noise(PART, number) for number in (1, 2, 3)]
    s3.complete_multipart_upload(**upload(s3, bucket, "k", sent, ChecksumAlgorithm="SHA256"))
    listed, marker = [], 0
    while True:
        page = s3.get_object_attributes(
            Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=2, PartNumberMarker=marker,
        )["ObjectParts"]
        listed += page["Parts"]
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    assert [part["ChecksumSHA256"] for part in listed] == [coded("SHA256", data) for data in sent]
    for part, data in zip(listed, sent, strict=True):
        assert s3.get_object(Bucket=bucket, Key="k", PartNumber=part["PartNumber"])["Body"].read() == data, part
        assert s3.head_object(Bucket=bucket, Key="k", PartNumber=part["PartNumber"])["ContentLength"] == part["Size"]


def test_parts_with_gaps_are_counted_and_not_listed(s3, bucket):
    """Once they were listed as 1, 3, 7 and read as 1, 2, 3: a read of 3 gave the bytes of 7."""
    made = s3.create_multipart_upload(Bucket=bucket, Key="k")
    where = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}
    sent = []
    for number in (1, 3, 7):
        answer = s3.upload_part(**where, PartNumber=number, Body=noise(PART, number), ChecksumAlgorithm="SHA256")
        sent.append({"PartNumber": number, "ETag": answer["ETag"]})
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": sent})
    parts = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert parts == {"TotalPartsCount": 3}
    for place, number in enumerate((1, 3, 7), 1):
        assert s3.get_object(Bucket=bucket, Key="k", PartNumber=place)["Body"].read() == noise(PART, number)


def test_uploads_are_listed_and_aborted(s3, bucket):
    made = {}
    for key in ("a/1", "a/2", "b", "b"):
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        made[upload_id] = key
        s3.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=1, Body=b"x")
    found = []
    for page in s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 1}
    ):
        found += [(upload["UploadId"], upload["Key"]) for upload in page.get("Uploads", [])]
    assert sorted(found) == sorted(made.items())
    grouped = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [item["Prefix"] for item in grouped["CommonPrefixes"]] == ["a/"]
    for upload_id, key in made.items():
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
        with pytest.raises(ClientError) as error:
            s3.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=2, Body=b"x")
        assert code(error) == ("NoSuchUpload", 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_part_copy(s3, bucket):
    source = noise(12 * MIB, "source")
    s3.put_object(Bucket=bucket, Key="source", Body=source)
    made = s3.create_multipart_upload(Bucket=bucket, Key="k")
    where = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}
    parts = []
    for number, (first, last) in enumerate([(0, 6 * MIB - 1), (3 * MIB + 17, 12 * MIB - 1)], 1):
        answer = s3.upload_part_copy(
            **where, PartNumber=number, CopySource={"Bucket": bucket, "Key": "source"},
            CopySourceRange=f"bytes={first}-{last}",
        )
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    with pytest.raises(ClientError) as error:
        s3.upload_part_copy(
            **where, PartNumber=3, CopySource={"Bucket": bucket, "Key": "source"},
            CopySourceRange=f"bytes=0-{12 * MIB}",
        )
    assert code(error)[0] in ("InvalidArgument", "InvalidRange")
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    s3.delete_object(Bucket=bucket, Key="source")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == source[:6 * MIB] + source[3 * MIB + 17:]


def test_transfer_manager(s3, bucket, folder):
    data = noise(40 * MIB + 3, "transfer")
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(data), bucket, "k", Config=config)
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"].endswith('-6"')
    s3.download_file(bucket, "k", str(folder / "back"), Config=config)
    assert sha256((folder / "back").read_bytes()) == sha256(data)
    s3.copy({"Bucket": bucket, "Key": "k"}, bucket, "copy", Config=config)
    assert sha256(s3.get_object(Bucket=bucket, Key="copy")["Body"].read()) == sha256(data)


def fetch(url, method="GET", data=None, headers=None):
    call = urllib.request.Request(url, method=method, data=data, headers=headers or {})
    with urllib.request.urlopen(call, timeout=TIMEOUT) as answer:
        return answer.read()


def test_presigned(endpoint, bucket):
    # Without this boto3 presigns with version 2, which AWS gave up for new regions and Cairn never had.
    s3 = endpoint.client(signature_version="s3v4")
    data = noise(100_000, "presigned")
    where = {"Bucket": bucket, "Key": "a b/ü+%"}
    fetch(s3.generate_presigned_url("put_object", Params=where), "PUT", data, {"Content-Type": ""})
    assert fetch(s3.generate_presigned_url("get_object", Params=where)) == data
    overridden = s3.generate_presigned_url("get_object", Params={**where, "ResponseContentType": "image/png"})
    with urllib.request.urlopen(overridden) as answer:
        assert answer.headers["Content-Type"] == "image/png"
    with pytest.raises(urllib.error.HTTPError) as error:
        fetch(s3.generate_presigned_url("get_object", Params=where), "PUT", b"other", {"Content-Type": ""})
    assert error.value.code == 403
    changed = s3.generate_presigned_url("get_object", Params=where).replace(bucket, bucket + "x")
    with pytest.raises(urllib.error.HTTPError) as error:
        fetch(changed)
    assert error.value.code == 403
    fetch(s3.generate_presigned_url("delete_object", Params=where), "DELETE")
    with pytest.raises(ClientError):
        s3.head_object(**where)


@pytest.mark.parametrize("option", [
    {"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms"}, {"ACL": "public-read"},
    {"ObjectLockLegalHoldStatus": "ON"}, {"GrantRead": "uri=http://acs.amazonaws.com/groups/global/AllUsers"},
])
def test_protection_that_does_not_exist_is_refused(s3, bucket, option):
    for call in (s3.put_object, s3.create_multipart_upload):
        body = {"Body": b"x"} if call == s3.put_object else {}
        with pytest.raises(ClientError) as error:
            call(Bucket=bucket, Key="k", **body, **option)
        assert 400 <= code(error)[1] <= 501
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_old_uploads_are_aborted(servers):
    """By the server itself, after the age that it was told: gone from the list, and known by no request."""
    server = servers("--abort-uploads-after", "2s").start()
    client = server.client()
    client.create_bucket(Bucket="archive")
    upload = client.create_multipart_upload(Bucket="archive", Key="k")["UploadId"]
    wait_for(lambda: "Uploads" not in client.list_multipart_uploads(Bucket="archive"))
    named = {"Bucket": "archive", "Key": "k", "UploadId": upload}
    for call in (lambda: client.upload_part(PartNumber=1, Body=b"late", **named), lambda: client.list_parts(**named),
                 lambda: client.abort_multipart_upload(**named)):
        with pytest.raises(ClientError) as refusal:
            call()
        assert code(refusal) == ("NoSuchUpload", 404)
