"""Every verb on every S3 sub-resource of an existing object and bucket leaves their bytes unchanged.

What is not built answers GET as AWS does for a bucket that never had it, and a change with 501 or another refusal;
nothing that is unknown falls through to the plain operation.
"""

import uuid

import pytest

from support.data import MIB, noise, sha256
from support.raw import request

BUCKET_ONLY = [
    "accelerate", "analytics", "cors", "encryption", "inventory", "intelligent-tiering", "lifecycle", "location",
    "logging", "metadataConfiguration", "metadataTable", "metrics", "notification", "object-lock", "ownershipControls",
    "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment", "session", "uploads", "versioning",
    "versions", "website", "delete",
]
OBJECT_ONLY = [
    "attributes", "legal-hold", "restore", "retention", "select&select-type=2", "torrent", "encryption", "renameObject",
    "partNumber=1", "uploadId=none", "partNumber=1&uploadId=none", "append", "position=0",
]
BOTH = ["acl", "tagging", "uploads", "versionId=none", "nonsense-sub-resource"]
VERBS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]
BODIES = {
    "none": b"",
    "bytes": b"these bytes must not become the object",
    "XML": b'<?xml version="1.0"?><Anything><Status>Enabled</Status></Anything>',
}
DATA = noise(MIB, "sub-resources")

# Removing tags is built; deleting a version that does not exist succeeds without doing anything. Neither touches bytes.
ALLOWED_SUCCESS = {("DELETE", "tagging"), ("DELETE", "versionId=none")}


@pytest.fixture
def target(endpoint):
    name = f"test-{uuid.uuid4().hex[:16]}"
    client = endpoint.client()
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="image", Body=DATA, Metadata={"a": "1"})
    yield name
    for upload in client.list_multipart_uploads(Bucket=name).get("Uploads", []):
        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    client.delete_object(Bucket=name, Key="image")
    client.delete_bucket(Bucket=name)


def unchanged(endpoint, bucket):
    client = endpoint.client()
    page = client.list_objects_v2(Bucket=bucket)
    assert [item["Key"] for item in page.get("Contents", [])] == ["image"]
    answer = client.get_object(Bucket=bucket, Key="image")
    assert sha256(answer["Body"].read()) == sha256(DATA)
    assert answer["Metadata"] == {"a": "1"}


def query_of(name: str) -> str:
    return "&".join(part if "=" in part else part + "=" for part in name.split("&"))


@pytest.mark.parametrize("name", sorted({*OBJECT_ONLY, *BUCKET_ONLY, *BOTH}))
def test_object(endpoint, target, name):
    for verb in VERBS:
        for body in BODIES.values():
            if verb == "DELETE" and name.startswith("nonsense"):
                continue  # See test_unknown_parameters.
            answer = request(endpoint, verb, target, "image", query_of(name), body)
            assert 200 <= answer.status < 502 and answer.status != 500, (verb, name, answer)
            if verb in ("PUT", "DELETE", "PATCH") and 200 <= answer.status < 300:
                assert (verb, name) in ALLOWED_SUCCESS, f"{verb} ?{name} succeeded"
    unchanged(endpoint, target)


@pytest.mark.parametrize("name", sorted({*BUCKET_ONLY, *BOTH}))
def test_bucket(endpoint, target, name):
    for verb in VERBS:
        for body in BODIES.values():
            answer = request(endpoint, verb, target, "", query_of(name), body)
            assert 200 <= answer.status < 502 and answer.status != 500, (verb, name, answer)
            # Creating one's own bucket again is harmless; a version of a bucket means nothing.
            if verb in ("PUT", "DELETE", "PATCH") and (verb, name) != ("PUT", "versionId=none"):
                assert not 200 <= answer.status < 300, f"{verb} ?{name} on a bucket succeeded"
    unchanged(endpoint, target)


@pytest.mark.parametrize("verb", ["PUT", "POST", "PATCH", "DELETE"])
def test_unknown_parameters(endpoint, target, verb):
    """A parameter that nobody knows might be a sub-resource of tomorrow: a change is refused."""
    for query in ("nonsense-sub-resource=", "nonsense-sub-resource=1", "acl2=", "Tagging=", "TAGGING="):
        for key in ("image", ""):
            answer = request(endpoint, verb, target, key, query, b"other bytes")
            assert answer.status in (400, 403, 405, 501), (verb, query, answer)
    unchanged(endpoint, target)


NEVER_HAD = {
    "cors": (404, "NoSuchCORSConfiguration"),
    "encryption": (404, "ServerSideEncryptionConfigurationNotFoundError"),
    "lifecycle": (404, "NoSuchLifecycleConfiguration"),
    "object-lock": (404, "ObjectLockConfigurationNotFoundError"),
    "ownershipControls": (404, "OwnershipControlsNotFoundError"),
    "policy": (404, "NoSuchBucketPolicy"),
    "publicAccessBlock": (404, "NoSuchPublicAccessBlockConfiguration"),
    "replication": (404, "ReplicationConfigurationNotFoundError"),
    "tagging": (404, "NoSuchTagSet"),
    "website": (404, "NoSuchWebsiteConfiguration"),
    "versioning": (200, b"VersioningConfiguration"),
    "acl": (200, b"FULL_CONTROL"),
    "logging": (200, b"BucketLoggingStatus"),
    "notification": (200, b"NotificationConfiguration"),
    "requestPayment": (200, b"BucketOwner"),
    "accelerate": (200, b"AccelerateConfiguration"),
    "location": (200, b"LocationConstraint"),
}


@pytest.mark.parametrize("name", NEVER_HAD)
def test_get_answers_as_for_a_bucket_that_never_had_it(endpoint, target, name):
    status, expected = NEVER_HAD[name]
    answer = request(endpoint, "GET", target, "", f"{name}=")
    assert answer.status == status, answer
    if status == 200:
        assert expected in answer.body
    else:
        assert answer.code == expected


@pytest.mark.parametrize("name", ["versioning", "cors", "policy", "lifecycle", "encryption", "object-lock", "acl"])
def test_a_change_that_is_not_built_says_so(endpoint, target, name):
    answer = request(endpoint, "PUT", target, "", f"{name}=", BODIES["XML"])
    assert (answer.code, answer.status) == ("NotImplemented", 501)
