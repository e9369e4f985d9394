"""The AWS command line: `s3` for people and scripts, `s3api` for each operation."""

import hashlib
import json
import subprocess

import pytest

from support import trees
from support.commands import TIMEOUT, run
from support.data import MIB, file_sha256, noise, write_noise


@pytest.fixture
def aws(endpoint, folder):
    def call(*arguments, **options):
        return run(endpoint, folder, "aws", *arguments, **options)

    return call


@pytest.fixture
def api(aws):
    def call(*arguments, check=True):
        result = aws("s3api", *arguments, "--output", "json", check=check)
        if result.returncode != 0:
            return result.stderr
        return json.loads(result.stdout) if result.stdout.strip() else {}

    return call


def test_copy_there_and_back(aws, bucket, folder):
    (folder / "a b+ü.dcm").write_bytes(noise(MIB, "cp"))
    aws("s3", "cp", folder / "a b+ü.dcm", f"s3://{bucket}/in/")
    aws("s3", "cp", f"s3://{bucket}/in/a b+ü.dcm", folder / "back")
    assert file_sha256(folder / "back") == file_sha256(folder / "a b+ü.dcm")
    aws("s3", "mv", f"s3://{bucket}/in/a b+ü.dcm", f"s3://{bucket}/moved")
    assert "moved" in aws("s3", "ls", f"s3://{bucket}/").stdout
    assert aws("s3", "cp", f"s3://{bucket}/moved", "-", text=False).stdout == noise(MIB, "cp")
    aws("s3", "cp", "-", f"s3://{bucket}/piped", stdin=b"from a pipe", text=False)
    assert aws("s3", "cp", f"s3://{bucket}/piped", "-").stdout == "from a pipe"


def test_multipart_by_threshold(aws, bucket, folder):
    aws("configure", "set", "default.s3.multipart_threshold", "8MB")
    aws("configure", "set", "default.s3.multipart_chunksize", "8MB")
    digest = write_noise(folder / "large", 70 * MIB + 11, "multipart")
    aws("s3", "cp", folder / "large", f"s3://{bucket}/large")
    head = json.loads(aws("s3api", "head-object", "--bucket", bucket, "--key", "large").stdout)
    assert head["ETag"].endswith('-9"')
    aws("s3", "cp", f"s3://{bucket}/large", folder / "back")
    assert file_sha256(folder / "back") == digest
    aws("s3", "cp", f"s3://{bucket}/large", f"s3://{bucket}/copy")
    aws("s3", "cp", f"s3://{bucket}/copy", folder / "back2")
    assert file_sha256(folder / "back2") == digest


def test_sync_both_ways(aws, bucket, folder):
    source = trees.make(folder / "source")
    aws("s3", "sync", source, f"s3://{bucket}/tree")
    assert aws("s3", "sync", source, f"s3://{bucket}/tree").stdout.strip() == ""
    aws("s3", "sync", f"s3://{bucket}/tree", folder / "back")
    assert trees.digests(folder / "back") == trees.digests(source)
    (source / "index.json").unlink()
    (source / "study 2" / "new").write_bytes(b"new")
    aws("s3", "sync", "--delete", source, f"s3://{bucket}/tree")
    aws("s3", "sync", "--delete", f"s3://{bucket}/tree", folder / "back")
    assert trees.digests(folder / "back") == trees.digests(source)
    aws("s3", "rm", "--recursive", f"s3://{bucket}/tree")
    assert aws("s3", "ls", "--recursive", f"s3://{bucket}", check=False).stdout.strip() == ""


def test_presign_and_curl(aws, endpoint, bucket, folder):
    (folder / "file").write_bytes(noise(MIB, "presign"))
    aws("s3", "cp", folder / "file", f"s3://{bucket}/a b/ü+%.dcm")
    aws("configure", "set", "default.s3.signature_version", "s3v4")
    url = aws("s3", "presign", f"s3://{bucket}/a b/ü+%.dcm", "--expires-in", "3600").stdout.strip()
    subprocess.run(["curl", "-sSf", "-o", folder / "back", url], check=True, timeout=TIMEOUT)
    assert file_sha256(folder / "back") == file_sha256(folder / "file")
    part = subprocess.run(["curl", "-sSf", "-r", "10-19", url], check=True, capture_output=True, timeout=TIMEOUT).stdout
    assert part == noise(MIB, "presign")[10:20]
    wrong = url[:-1] + ("0" if url[-1] != "0" else "1")
    status = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", wrong], capture_output=True, text=True, timeout=TIMEOUT
    ).stdout
    assert status == "403"


def test_make_and_remove_buckets(aws, bucket):
    name = bucket + "-cli"
    aws("s3", "mb", f"s3://{name}")
    assert name in aws("s3", "ls").stdout
    aws("s3", "cp", "-", f"s3://{name}/k", stdin=b"x", text=False)
    assert aws("s3", "rb", f"s3://{name}", check=False).returncode != 0
    aws("s3", "rb", "--force", f"s3://{name}")
    assert name not in aws("s3", "ls").stdout


def test_every_object_operation(api, bucket, folder):
    data = noise(MIB, "s3api")
    (folder / "body").write_bytes(data)
    at = ("--bucket", bucket, "--key", "k")
    tag = f'"{hashlib.md5(data).hexdigest()}"'
    put = api("put-object", *at, "--body", folder / "body", "--metadata", "a=1", "--content-type", "image/png",
              "--tagging", "t=1", "--storage-class", "STANDARD_IA")
    assert put["ETag"] == tag
    head = api("head-object", *at)
    assert (head["Metadata"], head["ContentType"], head["StorageClass"]) == ({"a": "1"}, "image/png", "STANDARD_IA")
    assert api("get-object", *at, "--range", "bytes=5-14", folder / "part")["ContentRange"] == f"bytes 5-14/{MIB}"
    assert (folder / "part").read_bytes() == data[5:15]
    api("get-object", *at, folder / "whole")
    assert (folder / "whole").read_bytes() == data
    assert api("get-object-attributes", *at, "--object-attributes", "ETag", "ObjectSize")["ObjectSize"] == MIB
    assert api("get-object-tagging", *at)["TagSet"] == [{"Key": "t", "Value": "1"}]
    api("put-object-tagging", *at, "--tagging", "TagSet=[{Key=u,Value=2}]")
    assert api("get-object-tagging", *at)["TagSet"] == [{"Key": "u", "Value": "2"}]
    api("delete-object-tagging", *at)
    assert api("get-object-tagging", *at)["TagSet"] == []
    api("copy-object", "--bucket", bucket, "--key", "copy", "--copy-source", f"{bucket}/k")
    assert "304" in api("get-object", *at, "--if-none-match", tag, folder / "none", check=False)
    again = api("put-object", *at, "--body", folder / "body", "--if-none-match", "*", check=False)
    assert "PreconditionFailed" in again
    assert "NoSuchKey" in api("get-object", "--bucket", bucket, "--key", "absent", folder / "none", check=False)
    deleted = api("delete-objects", "--bucket", bucket, "--delete", "Objects=[{Key=copy},{Key=absent}]")
    assert len(deleted["Deleted"]) == 2
    api("delete-object", *at)
    assert "404" in api("head-object", *at, check=False)


def test_every_bucket_operation(api, bucket):
    api("head-bucket", "--bucket", bucket)
    assert bucket in [item["Name"] for item in api("list-buckets")["Buckets"]]
    assert api("get-bucket-location", "--bucket", bucket)["LocationConstraint"] is None
    assert api("get-bucket-versioning", "--bucket", bucket) == {}
    for key in ("a/1", "a/2", "b"):
        api("put-object", "--bucket", bucket, "--key", key)
    for operation in ("list-objects", "list-objects-v2"):
        page = api(operation, "--bucket", bucket, "--delimiter", "/")
        assert [item["Key"] for item in page["Contents"]] == ["b"]
        assert [item["Prefix"] for item in page["CommonPrefixes"]] == ["a/"]
        assert len(api(operation, "--bucket", bucket, "--page-size", "1")["Contents"]) == 3
    assert len(api("list-object-versions", "--bucket", bucket)["Versions"]) == 3
    assert "BucketNotEmpty" in api("delete-bucket", "--bucket", bucket, check=False)
    assert "NoSuchBucket" in api("list-objects-v2", "--bucket", bucket + "-absent", check=False)


def test_every_multipart_operation(api, bucket, folder):
    parts = [noise(5 * MIB, 1), noise(5 * MIB, 2), noise(100, 3)]
    at = ("--bucket", bucket, "--key", "k")
    upload = api("create-multipart-upload", *at)["UploadId"]
    assert api("list-multipart-uploads", "--bucket", bucket)["Uploads"][0]["UploadId"] == upload
    tags = []
    for number, data in enumerate(parts[:2], 1):
        (folder / "part").write_bytes(data)
        tags.append(api("upload-part", *at, "--upload-id", upload, "--part-number", number,
                        "--body", folder / "part")["ETag"])
    (folder / "part").write_bytes(parts[2])
    api("put-object", "--bucket", bucket, "--key", "source", "--body", folder / "part")
    copied = api("upload-part-copy", *at, "--upload-id", upload, "--part-number", "3",
                 "--copy-source", f"{bucket}/source")
    tags.append(copied["CopyPartResult"]["ETag"])
    assert [part["ETag"] for part in api("list-parts", *at, "--upload-id", upload)["Parts"]] == tags
    listed = {"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]}
    (folder / "parts.json").write_text(json.dumps(listed))
    api("complete-multipart-upload", *at, "--upload-id", upload, "--multipart-upload", f"file://{folder}/parts.json")
    api("get-object", *at, folder / "whole")
    assert (folder / "whole").read_bytes() == b"".join(parts)
    upload = api("create-multipart-upload", *at)["UploadId"]
    api("abort-multipart-upload", *at, "--upload-id", upload)
    assert "NoSuchUpload" in api("list-parts", *at, "--upload-id", upload, check=False)
