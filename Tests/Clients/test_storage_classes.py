"""Storage classes: rs-6-3 beside rs-4-2 on nine disks, chosen by label, by bucket and by copy."""

import concurrent.futures
import json
import time

import pytest
from botocore.exceptions import ClientError

from support.data import noise, sha256
from support.server import WHOLE_SECONDS, destroy

from test_salvage import lose_database

BUCKET = "archive"
KIB, MIB = 1 << 10, 1 << 20
SIZES = {"small": 40 * KIB, "large": 9 * MIB}


@pytest.fixture
def nine(servers):
    server = servers("--disks", "9", "--scheme", "rs-4-2").start()
    server.client().create_bucket(Bucket=BUCKET)
    return server


def classes(server) -> dict[str, dict]:
    report = json.loads(server.admin("class", "list", "--json").stdout)
    return {item["name"]: item for item in report["classes"]}


def add_cold(server):
    """Adds the class COLD of rs-6-3, and waits until the journal survives as many disks as it does."""
    said = server.admin("class", "add", "COLD", "--scheme", "rs-6-3").stdout
    assert "any 3 disks" in said and "nines" in said, said
    wait_for_keepers(server)


def wait_for_keepers(server):
    deadline = time.monotonic() + WHOLE_SECONDS
    while True:
        report = json.loads(server.admin("class", "list", "--json").stdout)
        survived = max(item["survives"]["disks"] for item in report["classes"])
        if report["keepers"] >= report["keepersNeeded"] == 7 and survived == 3:
            return
        assert time.monotonic() < deadline, f"{report}\n{server.tail()}"
        time.sleep(0.2)


def put(client, key, storage_class=None, bucket=BUCKET) -> dict[str, str]:
    """Objects of both sizes, by key with what they hash to."""
    digests = {}
    for name, size in SIZES.items():
        data = noise(size, f"{key}/{name}")
        extra = {"StorageClass": storage_class} if storage_class else {}
        client.put_object(Bucket=bucket, Key=f"{key}/{name}", Body=data, **extra)
        digests[f"{key}/{name}"] = sha256(data)
    return digests


def read_all(server, digests, bucket=BUCKET):
    client = server.client()
    for key, digest in digests.items():
        assert sha256(client.get_object(Bucket=bucket, Key=key)["Body"].read()) == digest, key


def places(server, key, bucket=BUCKET) -> list[dict]:
    """Where the shards of an object's blobs lie: from the disks alone, which name its scheme in every record."""
    report = json.loads(server.run("inspect", "object", "--data", server.data, bucket, key, "--json").stdout)
    return report["shards"]


def shards(server, key, bucket=BUCKET) -> set[int]:
    """How many shards each blob of an object has."""
    by_blob = {}
    for row in places(server, key, bucket):
        by_blob.setdefault(row["blob"], set()).add(row["shard"])
    return {len(indices) for indices in by_blob.values()}


def test_a_class_is_shown_added_used_and_survives_what_it_promises(nine):
    server = nine
    tried = server.admin("class", "add", "COLD", "--scheme", "rs-6-3", "--dry-run").stdout
    assert "any 3 disks" in tried and "Nothing was changed" in tried, tried
    assert set(classes(server)) == {"STANDARD"}

    refused = server.admin("class", "add", "DEEP", "--scheme", "rs-8-7", check=False)
    assert refused.returncode == 1 and "needs 15 disks" in refused.stderr and "9" in refused.stderr, refused
    refused = server.admin("class", "add", "DEEP", "--scheme", "rs-4-5", check=False)
    assert refused.returncode == 1 and "keepers" in refused.stderr, refused
    assert set(classes(server)) == {"STANDARD"}

    add_cold(server)
    known = classes(server)
    assert known["COLD"]["scheme"] == "rs-6-3" and known["COLD"]["survives"]["disks"] == 3
    assert known["STANDARD"]["scheme"] == "rs-4-2" and known["STANDARD"]["survives"]["disks"] == 2

    client = server.client()
    digests = put(client, "cold", "COLD") | put(client, "standard") | put(client, "glacier", "GLACIER")
    assert client.head_object(Bucket=BUCKET, Key="cold/small")["StorageClass"] == "COLD"
    assert client.head_object(Bucket=BUCKET, Key="glacier/small")["StorageClass"] == "GLACIER"
    assert "StorageClass" not in client.head_object(Bucket=BUCKET, Key="standard/small")
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="parts", StorageClass="COLD")["UploadId"]
    parts = [noise(6 * MIB, "part 1"), noise(70 * KIB, "part 2")]
    done = [
        {"PartNumber": number, "ETag": client.upload_part(
            Bucket=BUCKET, Key="parts", UploadId=upload, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    client.complete_multipart_upload(Bucket=BUCKET, Key="parts", UploadId=upload, MultipartUpload={"Parts": done})
    digests["parts"] = sha256(b"".join(parts))
    server.wait_until_whole()
    server.stop()
    for key in digests:
        wanted = 9 if key.startswith(("cold/", "parts")) else 6
        assert shards(server, key) == {wanted}, key
    standard = {row["foundOn"] for row in places(server, "standard/large")}

    # Metadata from nothing but the disks knows the classes as well.
    lose_database(server.data)
    server.run("metadata", "rebuild", "--data", server.data)
    server.start()
    assert set(classes(server)) == {"STANDARD", "COLD"}
    read_all(server, digests)
    digests |= put(server.client(), "cold-again", "COLD")

    # Three disks, more than rs-4-2 bears where it has a blob on all of them; the class promised it.
    server.admin("scrub")
    server.wait_until_whole()
    lost = [disk for disk in server.disks() if str(disk) in standard][::2]
    others = [disk for disk in server.disks() if disk not in lost][::2]
    assert len(lost) == len(others) == 3, (standard, server.disks())
    for disk in lost:
        destroy(disk)
    promised = {key: digest for key, digest in digests.items() if key.startswith(("cold", "parts"))}
    read_all(server, promised)
    with pytest.raises(ClientError) as error:
        server.client().put_object(Bucket=BUCKET, Key="refused", Body=noise(MIB), StorageClass="COLD")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    # What the other class did not promise to keep is given up; the rest is made whole on empty disks, and three
    # others may go then.
    for key in digests.keys() - promised.keys():
        server.client().delete_object(Bucket=BUCKET, Key=key)
    refused = server.admin("disk", "replace", lost[0], check=False)
    assert refused.returncode == 1 and "cannot be read now need" in refused.stderr, refused
    for disk in lost:
        server.replace(disk, "--force")
    server.wait_until_whole()
    wait_for_keepers(server)
    for disk in others:
        destroy(disk)
    read_all(server, promised)
    server.stop()
    server.start()
    read_all(server, promised)


def test_a_bucket_has_a_default_and_copies_change_the_class(nine):
    server = nine
    add_cold(server)
    client = server.client()
    refused = server.admin("bucket", "class", BUCKET, "WARM", check=False)
    assert refused.returncode == 1 and "no class WARM" in refused.stderr, refused
    server.admin("bucket", "class", BUCKET, "COLD")
    digests = put(client, "unnamed") | put(client, "standard", "STANDARD")
    assert client.head_object(Bucket=BUCKET, Key="unnamed/small")["StorageClass"] == "COLD"
    assert "StorageClass" not in client.head_object(Bucket=BUCKET, Key="standard/small")

    # Into another class the bytes are written anew, and the ETag stays.
    for name in SIZES:
        source = {"Bucket": BUCKET, "Key": f"standard/{name}"}
        before = client.head_object(**source)["ETag"]
        copied = client.copy_object(Bucket=BUCKET, Key=f"copied/{name}", CopySource=source, StorageClass="COLD")
        assert copied["CopyObjectResult"]["ETag"] == before
        digests[f"copied/{name}"] = digests[f"standard/{name}"]
        back = {"Bucket": BUCKET, "Key": f"copied/{name}"}
        client.copy_object(Bucket=BUCKET, Key=f"back/{name}", CopySource=back, StorageClass="STANDARD")
        digests[f"back/{name}"] = digests[f"standard/{name}"]
        # Onto itself: how an object that is there gets another class.
        own = {"Bucket": BUCKET, "Key": f"unnamed/{name}"}
        client.copy_object(Bucket=BUCKET, Key=own["Key"], CopySource=own, StorageClass="STANDARD")
    read_all(server, digests)

    refused = server.admin("class", "remove", "COLD", check=False)
    assert refused.returncode == 1 and BUCKET in refused.stderr, refused
    server.kill()
    server.start()
    assert classes(server)["COLD"]["buckets"] == [BUCKET]
    server.admin("bucket", "class", BUCKET, "none")
    server.admin("class", "remove", "COLD")
    digests |= put(server.client(), "late", "COLD")
    read_all(server, digests)
    server.wait_until_whole()
    server.stop()
    for key in digests:
        wanted = 9 if key.startswith("copied/") else 6
        assert shards(server, key) == {wanted}, key


def rewrites(server) -> list[dict]:
    return json.loads(server.admin("class", "rewrites", "--json").stdout)["rewrites"]


def wait_until_rewritten(server, seconds=WHOLE_SECONDS):
    deadline = time.monotonic() + seconds
    while rewrites(server):
        assert time.monotonic() < deadline, f"{rewrites(server)}\n{server.tail()}"
        time.sleep(0.2)


def seen(client, key) -> dict:
    """What a client sees of an object, but for its class."""
    head = client.head_object(Bucket=BUCKET, Key=key)
    tags = client.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
    names = ("ETag", "LastModified", "ContentLength", "ContentType", "Metadata", "PartsCount")
    return {name: head.get(name) for name in names} | {"tags": tags}


def fill_for_rewriting(client) -> dict[str, str]:
    """Packs, single objects of several blobs' length, and an upload of parts; by key with what they hash to."""
    digests = {}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for number in range(80):
            key, data = f"old/small-{number}", noise(30 * KIB + number, f"small {number}")
            digests[key] = sha256(data)
            pool.submit(client.put_object, Bucket=BUCKET, Key=key, Body=data, Metadata={"number": str(number)},
                        Tagging="study=7", ContentType="application/dicom").result
    for number in range(4):
        digests |= put(client, f"old/{number}")
    digests |= put(client, "other")
    client.put_object(Bucket=BUCKET, Key="old/empty", Body=b"")
    digests["old/empty"] = sha256(b"")
    parts = [noise(6 * MIB, "part 1"), noise(70 * KIB, "part 2")]
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="old/parts")["UploadId"]
    done = [
        {"PartNumber": number, "ETag": client.upload_part(
            Bucket=BUCKET, Key="old/parts", UploadId=upload, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    client.complete_multipart_upload(Bucket=BUCKET, Key="old/parts", UploadId=upload, MultipartUpload={"Parts": done})
    digests["old/parts"] = sha256(b"".join(parts))
    return digests


def test_objects_that_are_there_go_over_while_clients_go_on(nine):
    server = nine
    client = server.client()
    digests = fill_for_rewriting(client)
    before = {key: seen(client, key) for key in digests}
    apply = ("class", "apply", "--bucket", BUCKET, "--to", "COLD", "--prefix", "old/")
    refused = server.admin(*apply, check=False)
    assert refused.returncode == 1 and "no class COLD" in refused.stderr, refused
    add_cold(server)
    meant = [key for key in digests if key.startswith("old/")]
    plan = json.loads(server.admin(*apply, "--dry-run", "--json").stdout)
    assert plan["objects"] == len(meant) and plan["bytesOnDisks"] > plan["bytes"]
    assert abs(plan["bytesOnDisks"] - plan["bytesOnDisksThen"]) < 10 * len(meant), "both cost half as much again"
    assert rewrites(server) == []

    # Most of a minute: on a slow machine, too, it is killed, held, and crossed by what clients write before it ends.
    said = server.admin(*apply, "--rate", "1").stdout
    assert f"Rewriting {len(meant)} objects" in said, said
    refused = server.admin(*apply, check=False)
    assert refused.returncode == 1 and "being rewritten already" in refused.stderr, refused
    refused = server.admin("class", "remove", "COLD", check=False)
    assert refused.returncode == 1 and BUCKET in refused.stderr, refused
    deadline = time.monotonic() + WHOLE_SECONDS
    while not (found := rewrites(server)[0])["bytesDone"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    assert found["bytesLeft"], found
    server.kill()
    server.start()
    client = server.client()
    assert "Paused." in server.admin("class", "rewrites", "pause", "--bucket", BUCKET).stdout
    newer = noise(2 * MIB, "newer")
    client.put_object(Bucket=BUCKET, Key="old/3/large", Body=newer)
    digests["old/3/large"] = sha256(newer)
    client.delete_object(Bucket=BUCKET, Key="old/small-79")
    del digests["old/small-79"]
    server.stop()
    server.start()
    client = server.client()
    assert rewrites(server)[0]["isPaused"]
    told = server.admin("doctor", check=False)
    assert told.returncode == 1 and f"cairn admin class rewrites resume --bucket {BUCKET}" in told.stdout, told
    assert f"the rewriting of {BUCKET}" in server.admin("status").stdout
    assert server.metric("cairn_class_rewrites_paused") == 1
    read_all(server, digests)
    server.admin("class", "rewrites", "resume", "--bucket", BUCKET)
    wait_until_rewritten(server)

    read_all(server, digests)
    cold = [key for key in digests if key.startswith("old/") and key != "old/3/large"]
    for key in cold:
        assert client.head_object(Bucket=BUCKET, Key=key)["StorageClass"] == "COLD", key
        assert seen(client, key) == before[key], key
    for key in ("other/small", "other/large", "old/3/large"):
        assert "StorageClass" not in client.head_object(Bucket=BUCKET, Key=key), key
    said = server.admin(*apply, "--dry-run").stdout
    assert "Would rewrite 1 object of" in said, said
    again = server.admin("class", "rewrites", "cancel", "--bucket", BUCKET, check=False)
    assert again.returncode == 1 and "no objects of" in again.stderr, again
    server.wait_until_whole()
    server.stop()
    for key in ("old/small-3", "old/parts", "old/0/large", "old/0/small"):
        assert shards(server, key) == {9}, key
    assert shards(server, "other/small") == {6}

    # What it is for: three disks may go now.
    server.start()
    server.admin("scrub")
    server.wait_until_whole()
    for disk in [server.disks()[number] for number in (0, 4, 7)]:
        destroy(disk)
    read_all(server, {key: digests[key] for key in cold})
