"""Restores from disks alone: `cairn salvage`, `cairn metadata rebuild`, and starts over disks that know more."""

import itertools
import json
import pathlib
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from support.data import KIB, MIB, file_sha256, noise, sha256

BUCKETS = ("archive", "second")
# Beside the disks, the data folder keeps what a restore may use: the keys.
KEPT = {"sites", "credentials", "master-key", "master.key"}
PAIRS = list(itertools.combinations(range(6), 2))


def fill(server) -> dict[tuple[str, str], str]:
    """Objects, overwritten ones, deleted ones, a multipart one and an unfinished upload, all of them whole; digests of
    what is left."""
    client = server.client()
    digests = {}
    for bucket in BUCKETS:
        client.create_bucket(Bucket=bucket)
        for number in range(30):
            size = [0, 1, 700, 65 * KIB, 513 * KIB, 5 * MIB][number % 6]
            key = f"study {number % 4}/Müller/{number:02}.dcm"
            data = noise(size, f"{bucket}{number}")
            client.put_object(Bucket=bucket, Key=key, Body=data, Metadata={"n": str(number)})
            digests[bucket, key] = sha256(data)
        for key in [key for name, key in sorted(digests) if name == bucket][::5]:
            client.put_object(Bucket=bucket, Key=key, Body=b"overwritten " + key.encode())
            digests[bucket, key] = sha256(b"overwritten " + key.encode())
        for key in [key for name, key in sorted(digests) if name == bucket][1::7]:
            client.delete_object(Bucket=bucket, Key=key)
            del digests[bucket, key]
    large = server.data.parent / "large"
    large.write_bytes(noise(70 * MIB, "large"))
    client.upload_file(str(large), "archive", "large.svs")
    digests["archive", "large.svs"] = sha256(noise(70 * MIB, "large"))
    upload = client.create_multipart_upload(Bucket="archive", Key="unfinished")["UploadId"]
    client.upload_part(Bucket="archive", Key="unfinished", UploadId=upload, PartNumber=1, Body=noise(MIB))
    server.wait_until_whole()
    return digests


def lose_database(data: pathlib.Path):
    lost = [path for path in data.iterdir() if path.name not in KEPT]
    assert lost, "the data folder holds nothing but disks; where is the database?"
    for path in lost:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def salvage(server, disks, to, *options, status=0):
    """Status 2 is the program's word that something is unconfirmed or lost."""
    arguments = [part for disk in disks for part in ("--disk", disk)]
    result = server.run("salvage", *arguments, "--to", to, *options, check=False)
    assert result.returncode == status, f"ended with {result.returncode}\n{result.stdout}\n{result.stderr}"
    assert "\x1b" not in result.stdout + result.stderr, "a terminal's sequences in a pipe"
    return result


def confirmed(to: pathlib.Path) -> dict[tuple[str, str], str]:
    """Bucket, key and digest of every object that was written out as certain."""
    found = {}
    for path in to.rglob("*"):
        parts = path.relative_to(to).parts
        if path.is_file() and not any("unconfirmed" in part for part in parts):
            for index, part in enumerate(parts[:-1]):
                if part in BUCKETS:
                    found[part, "/".join(parts[index + 1:])] = file_sha256(path)
                    break
    return found


def unconfirmed(to: pathlib.Path) -> set[tuple[str, str, str]]:
    """Bucket, key and digest of every object that the manifest calls unconfirmed and whose file has these bytes; of a
    key that was overwritten there are several."""
    lines = [json.loads(line) for line in (to / "manifest.jsonl").read_text().splitlines()]
    found = set()
    for line in lines:
        if line["state"] == "unconfirmed" and "file" in line:
            assert line["file"].startswith("unconfirmed/"), line
            assert file_sha256(to / line["file"]) == line["sha256"], line
            found.add((line["bucket"], line["key"], line["sha256"]))
    return found


def objects_of(found, digests):
    """`found` without the files that describe an object and are named after it."""
    return {
        name: digest for name, digest in found.items()
        if name in digests or not any(name[0] == bucket and name[1].startswith(key) for bucket, key in digests)
    }


def contents(server) -> dict[tuple[str, str], str]:
    client = server.client(timeout=60)
    found = {}
    for bucket in (item["Name"] for item in client.list_buckets()["Buckets"]):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                body = client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
                found[bucket, item["Key"]] = sha256(body)
    return found


@pytest.fixture
def filled(servers):
    server = servers().start()
    digests = fill(server)
    server.stop()
    return server, digests


@pytest.mark.long
def test_salvage_from_any_four_disks(filled, folder):
    server, digests = filled
    lose_database(server.data)
    disks = server.disks()
    for pair in PAIRS:
        left = [disk for index, disk in enumerate(disks) if index not in pair]
        to = folder / "-".join(map(str, pair))
        salvage(server, left, to)
        assert objects_of(confirmed(to), digests) == digests, pair
        shutil.rmtree(to)


def test_salvage_lists_and_writes_nothing_when_asked_to(filled, folder):
    server, digests = filled
    lose_database(server.data)
    listed = salvage(server, server.disks()[2:], folder / "to", "--list").stdout
    for bucket, key in digests:
        assert key in listed
    assert "unfinished" not in listed.replace("unfinished upload", "")
    salvage(server, server.disks()[2:], folder / "to", "--dry-run")
    assert not (folder / "to").exists() or not confirmed(folder / "to")


def test_salvage_can_be_resumed_and_narrowed(filled, folder):
    server, digests = filled
    lose_database(server.data)
    to = folder / "to"
    salvage(server, server.disks()[:4], to, "--prefix", "study 1/")
    some = {name: digest for name, digest in digests.items() if name[1].startswith("study 1/")}
    assert objects_of(confirmed(to), digests) == some
    salvage(server, server.disks()[:4], to)
    assert objects_of(confirmed(to), digests) == digests


def test_a_second_salvage_leaves_what_was_deleted_aside(servers, folder):
    """Once it stayed in `objects/`, and the manifest went on to say that it was complete."""
    server = servers().start()
    client = server.client()
    client.create_bucket(Bucket="archive")
    for key in ("kept", "gone", "folder", "other/one"):
        client.put_object(Bucket="archive", Key=key, Body=noise(70 * KIB, key))
    server.stop()
    to = folder / "to"
    salvage(server, server.disks(), to)
    server.start()
    for key in ("gone", "other/one"):
        client.delete_object(Bucket="archive", Key=key)
    for key in ("folder/one", "other"):
        client.put_object(Bucket="archive", Key=key, Body=noise(70 * KIB, key))
    server.stop()
    kept = to / "objects/archive/kept"
    kept.write_bytes(noise(70 * KIB, "another of that length"))
    salvage(server, server.disks(), to)
    keys = {"kept", "folder", "folder/one", "other"}
    lines = [json.loads(line) for line in (to / "manifest.jsonl").read_text().splitlines()]
    assert sorted(line["key"] for line in lines) == sorted(keys)
    assert {file_sha256(to / line["file"]) for line in lines} == {sha256(noise(70 * KIB, key)) for key in keys}
    left = {str(path.relative_to(to)) for path in (to / "objects").rglob("*") if path.is_file()}
    assert left == {line["file"] for line in lines}
    aside = to / "superseded/1/objects/archive"
    assert {path.name for path in aside.rglob("*") if path.is_file()} == {"gone", "folder", "one"}
    assert json.loads((to / "report.json").read_text())["superseded"] == 3


def test_nothing_is_written_onto_a_disk_that_is_only_read(servers, folder):
    """By whatever name it is called: once `--to DISK/salvage` wrote everything onto a disk that was to be rescued."""
    server = servers().start()
    server.client().create_bucket(Bucket="archive")
    server.client().put_object(Bucket="archive", Key="k", Body=noise(70 * KIB))
    server.stop()
    disks = server.disks()
    before = {path for disk in disks for path in disk.rglob("*")}
    link = folder / "link"
    link.symlink_to(disks[1])
    for to in (disks[0], disks[0] / "salvage", disks[2] / "segments/x/y", link / "salvage",
               folder / "not-there" / ".." / "link" / "salvage"):
        told = salvage(server, disks, to, status=1).stderr
        assert "disk's folder" in told and "only read" in told and "outside of all disks" in told, told
        told = server.run("metadata", "rebuild", "--data", to, *(part for disk in disks for part in ("--disk", disk)),
                          check=False)
        assert told.returncode == 1 and "--data" in told.stderr and "only read" in told.stderr, told
    assert not (folder / "not-there").exists()
    # The other way round: what a run writes, or moves aside, must not be a disk's.
    to = folder / "to"
    (to / "objects").mkdir(parents=True)
    shutil.copytree(disks[0], to / "objects/disk")
    told = salvage(server, [to / "objects/disk", *disks[1:]], to, status=1).stderr
    assert "lies in" in told and "another --to" in told, told
    assert {path for disk in disks for path in disk.rglob("*")} == before
    assert sorted(path.name for path in to.iterdir()) == ["objects"]
    # Beside the disks, in the folder that holds them, is no matter.
    salvage(server, disks, server.data / "salvage")


def test_without_journals_all_bytes_come_out_as_unconfirmed(filled, folder):
    server, digests = filled
    lose_database(server.data)
    disks = server.disks()[:4]
    journals = [path for disk in disks for path in disk.glob("journal*")]
    assert journals, "no journal on the disks"
    for path in journals:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    to = folder / "to"
    salvage(server, disks, to, status=2)
    assert not set(confirmed(to)) & set(digests), "named as certain without a journal"
    # Nothing of an empty object lies on a disk.
    whole = {(*name, digest) for name, digest in digests.items() if digest != sha256(b"")}
    missing = whole - unconfirmed(to)
    assert not missing, f"{len(missing)} of {len(whole)} objects did not come out under their names: {missing}"


def test_without_journals_the_names_in_packs_are_read(servers, folder):
    """Objects that arrive together share a blob, whose trailers name them all in compressed form."""
    server = servers().start()
    server.client().create_bucket(Bucket="archive")
    digests = {f"1.2.840.113619.2.55.3/{number:03}.dcm": noise(900, number) for number in range(200)}
    with ThreadPoolExecutor(32) as pool:
        client = server.client(connections=32)
        list(pool.map(lambda item: client.put_object(Bucket="archive", Key=item[0], Body=item[1]), digests.items()))
    server.wait_until_whole()
    server.stop()
    lose_database(server.data)
    disks = server.disks()[2:]
    for disk in disks:
        shutil.rmtree(disk / "journal", ignore_errors=True)
    to = folder / "to"
    salvage(server, disks, to, status=2)
    assert {("archive", key, sha256(data)) for key, data in digests.items()} <= unconfirmed(to)


def test_without_journals_every_version_of_a_key_in_a_pack_comes_out(servers, folder):
    """Once those of one pack got one path: what was current was renamed over, and the manifest said it was written."""
    server = servers().start()
    client = server.client(connections=16)
    client.create_bucket(Bucket="archive")

    def put(number):
        client.put_object(Bucket="archive", Key=f"k{number // 4}", Body=noise(900, number))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(240)))
    current = {(*name, digest) for name, digest in contents(server).items()}
    server.wait_until_whole()
    server.stop()
    lose_database(server.data)
    for disk in server.disks():
        shutil.rmtree(disk / "journal", ignore_errors=True)
    to = folder / "to"
    salvage(server, server.disks(), to, status=2)
    assert current <= unconfirmed(to)
    files = [json.loads(line)["file"] for line in (to / "manifest.jsonl").read_text().splitlines()]
    assert len(files) == len(set(files)) == sum(path.is_file() for path in (to / "unconfirmed").rglob("*"))
    assert any(file.count("-") == 3 for file in files), "no pack held two versions of a key: nothing was tried"
    salvage(server, server.disks(), to, status=2)
    assert json.loads((to / "report.json").read_text())["doneBefore"] == len(files)


def test_no_key_keeps_others_from_coming_out(servers, folder):
    """Once one of 1,024 slashes ended the salvage, each time anew; one of 1,018 did when it had been deleted; and so
    did a folder that Unicode calls equal to another."""
    server = servers().start()
    client = server.client()
    slashes = {"/" * 1_024, "/" * 1_018}
    keys = {"kept", "e\u0301/one", "\u00e9/two"}
    for bucket in BUCKETS:
        client.create_bucket(Bucket=bucket)
        for key in keys | slashes:
            client.put_object(Bucket=bucket, Key=key, Body=bucket.encode() + key.encode())
    server.stop()
    to = folder / "to"

    def salvaged():
        salvage(server, server.disks(), to)
        lines = [json.loads(line) for line in (to / "manifest.jsonl").read_text().splitlines()]
        return {(line["bucket"], line["key"]): (to / line["file"]).read_bytes() for line in lines}

    def expected(keys):
        return {(bucket, key): bucket.encode() + key.encode() for bucket in BUCKETS for key in keys}

    assert salvaged() == expected(keys | slashes)
    server.start()
    for bucket, key in itertools.product(BUCKETS, slashes):
        client.delete_object(Bucket=bucket, Key=key)
    server.stop()
    assert salvaged() == expected(keys)
    assert sum(path.is_file() for path in (to / "superseded/1").rglob("*")) == 4


def test_foreign_and_older_disks_do_no_harm(servers, folder):
    server = servers().start()
    client = server.client()
    client.create_bucket(Bucket="archive")
    client.put_object(Bucket="archive", Key="k", Body=b"old")
    server.stop()
    older = folder / "older"
    shutil.copytree(server.disks()[0], older)
    server.start()
    client.put_object(Bucket="archive", Key="k", Body=b"new")
    client.put_object(Bucket="archive", Key="l", Body=noise(MIB))
    server.stop()
    other = servers().start()
    other.client().create_bucket(Bucket="archive")
    other.client().put_object(Bucket="archive", Key="k", Body=b"foreign")
    other.stop()
    lose_database(server.data)
    to = folder / "to"
    salvage(server, [older, other.disks()[1], *server.disks()[1:]], to)
    expected = {("archive", "k"): sha256(b"new"), ("archive", "l"): sha256(noise(MIB))}
    assert objects_of(confirmed(to), expected) == expected


def test_a_folder_that_had_a_store_makes_none_anew(servers):
    server = servers()
    server.start()
    server.client().create_bucket(Bucket="bucket")
    server.stop()
    shutil.rmtree(server.data / "metadata")
    # As when the disks lie elsewhere and are not named.
    shutil.move(server.data / "sites", server.data.parent / "sites")
    with pytest.raises(RuntimeError, match="had a store.*metadata rebuild"):
        server.start()
    shutil.rmtree(server.data / "sites", ignore_errors=True)
    shutil.move(server.data.parent / "sites", server.data / "sites")
    server.run("metadata", "rebuild", "--data", server.data)
    server.start()
    assert [bucket["Name"] for bucket in server.client().list_buckets()["Buckets"]] == ["bucket"]


def test_a_rebuild_refuses_one_folder_by_two_names(servers):
    server = servers()
    server.start()
    server.stop()
    lose_database(server.data)
    disks, link = server.disks(), server.data.parent / "link"
    link.symlink_to(disks[0])
    for again in (link, disks[0]):
        given = [part for disk in [*disks, again] for part in ("--disk", disk)]
        told = server.run("metadata", "rebuild", "--data", server.data, *given, check=False)
        assert told.returncode != 0 and str(again) in told.stderr, told
        assert "same folder" in told.stderr or "given twice" in told.stderr, told
        assert "server is running" not in told.stderr, told
    server.run("metadata", "rebuild", "--data", server.data)


@pytest.mark.parametrize("disk_is", ["gone", "unreadable"])
def test_a_start_names_the_rebuild_with_one_disk_lost_as_well(servers, disk_is):
    server = servers()
    server.start()
    server.client().create_bucket(Bucket="bucket")
    server.stop()
    shutil.rmtree(server.data / "metadata")
    lost, away = server.disks()[2], server.data.parent / "away"
    if disk_is == "gone":
        shutil.move(lost, away)
        lost.write_bytes(b"no folder")
    else:
        (lost / "disk").write_bytes(b"x" * 8192)
    with pytest.raises(RuntimeError, match="metadata rebuild"):
        server.start()
    if disk_is == "gone":
        lost.unlink()
        shutil.move(away, lost)
    server.run("metadata", "rebuild", "--data", server.data)
    server.start()
    assert [bucket["Name"] for bucket in server.client().list_buckets()["Buckets"]] == ["bucket"]


@pytest.mark.parametrize("pair", [(0, 1), (2, 5)])
def test_rebuild_serves_everything_again(filled, servers, pair):
    server, digests = filled
    lose_database(server.data)
    for disk in [server.disks()[index] for index in pair]:
        shutil.rmtree(disk)
    left = server.disks()
    before = {path: path.stat().st_size for disk in left for path in disk.rglob("*") if path.is_file()}

    # A plain start on these disks must not erase or forget anything, whether it serves or refuses.
    try:
        server.start()
    except RuntimeError as error:
        assert "metadata rebuild" in str(error), error
    else:
        assert contents(server) == digests
        server.stop()
    gone = [path for path in before if not path.exists() and "segment" in str(path)]
    assert not gone, gone

    server.run("metadata", "rebuild", "--data", server.data)
    server.start()
    assert contents(server) == digests
    client = server.client()
    key = next(key for bucket, key in sorted(digests) if bucket == "second")
    client.head_object(Bucket="second", Key=key)
    client.delete_object(Bucket="second", Key=key)


def test_an_old_copy_of_the_database_catches_up(servers, folder):
    server = servers().start()
    client = server.client()
    client.create_bucket(Bucket="archive")
    client.put_object(Bucket="archive", Key="old", Body=b"old")
    server.stop()
    copy = folder / "copy"
    copy.mkdir()
    for path in server.data.iterdir():
        if path.name not in KEPT:
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, copy / path.name)
    server.start()
    for number in range(50):
        client.put_object(Bucket="archive", Key=f"new/{number}", Body=noise(10_000, number))
    client.delete_object(Bucket="archive", Key="old")
    server.stop()

    lose_database(server.data)
    for path in copy.iterdir():
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, server.data / path.name)
    server.start()
    assert contents(server) == {("archive", f"new/{number}"): sha256(noise(10_000, number)) for number in range(50)}
    with pytest.raises(ClientError):
        server.client().get_object(Bucket="archive", Key="old")
