"""minio-py, rclone, s3cmd, restic and s3fs: each does what its users do every day."""

import io
import json
import urllib.request

import fsspec
import minio
import pytest
import s3fs
from minio.commonconfig import CopySource, Tags
from minio.deleteobjects import DeleteObject

from support import trees
from support.commands import TIMEOUT, run
from support.data import MIB, noise, sha256
from support.server import REGION


# The minio Python client

@pytest.fixture
def mc(endpoint):
    return minio.Minio(
        endpoint.address, access_key=endpoint.access_key, secret_key=endpoint.secret_key, region=REGION, secure=False
    )


def test_minio(mc, bucket, folder):
    data = noise(20 * MIB + 7, "minio")
    mc.put_object(bucket, "small/ü +%", io.BytesIO(b"small"), 5, metadata={"a": "1"})
    mc.put_object(bucket, "large", io.BytesIO(data), len(data), part_size=5 * MIB)
    mc.put_object(bucket, "unknown length", io.BytesIO(data), -1, part_size=10 * MIB)
    for key in ("large", "unknown length"):
        answer = mc.get_object(bucket, key)
        assert sha256(answer.read()) == sha256(data)
        answer.close()
        answer.release_conn()
    answer = mc.get_object(bucket, "large", offset=MIB, length=100)
    assert answer.read() == data[MIB:MIB + 100]
    answer.release_conn()
    assert mc.stat_object(bucket, "small/ü +%").metadata["x-amz-meta-a"] == "1"
    mc.copy_object(bucket, "copy", CopySource(bucket, "small/ü +%"))
    names = [item.object_name for item in mc.list_objects(bucket, recursive=True)]
    assert names == ["copy", "large", "small/ü +%", "unknown length"]
    grouped = sorted(item.object_name for item in mc.list_objects(bucket))
    assert grouped == ["copy", "large", "small/", "unknown length"]
    tags = Tags.new_object_tags()
    tags["t"] = "1"
    mc.set_object_tags(bucket, "copy", tags)
    assert mc.get_object_tags(bucket, "copy") == {"t": "1"}
    mc.fget_object(bucket, "large", str(folder / "back"))
    assert sha256((folder / "back").read_bytes()) == sha256(data)
    with pytest.raises(minio.error.S3Error) as error:
        mc.stat_object(bucket, "absent")
    assert error.value.code == "NoSuchKey"
    assert not list(mc.remove_objects(bucket, [DeleteObject(name) for name in names]))
    assert not list(mc.list_objects(bucket, recursive=True))


def test_minio_presigned(mc, bucket):
    mc.put_object(bucket, "k", io.BytesIO(b"presigned"), 9)
    with urllib.request.urlopen(mc.presigned_get_object(bucket, "k"), timeout=TIMEOUT) as answer:
        assert answer.read() == b"presigned"


# rclone

@pytest.fixture
def rclone(endpoint, folder):
    environment = {
        "RCLONE_CONFIG_CAIRN_TYPE": "s3",
        "RCLONE_CONFIG_CAIRN_PROVIDER": "Other",
        "RCLONE_CONFIG_CAIRN_ENDPOINT": endpoint.url,
        "RCLONE_CONFIG_CAIRN_ACCESS_KEY_ID": endpoint.access_key,
        "RCLONE_CONFIG_CAIRN_SECRET_ACCESS_KEY": endpoint.secret_key,
        "RCLONE_CONFIG_CAIRN_REGION": REGION,
        "RCLONE_RETRIES": "1",
        "RCLONE_LOW_LEVEL_RETRIES": "1",
    }

    def call(*arguments, **options):
        return run(endpoint, folder, "rclone", *arguments, extra=environment, **options)

    return call


def test_rclone(rclone, bucket, folder):
    source = trees.make(folder / "source")
    cutoff = ("--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M")
    rclone("copy", source, f"cairn:{bucket}/tree", *cutoff)
    rclone("check", source, f"cairn:{bucket}/tree")
    rclone("check", "--download", source, f"cairn:{bucket}/tree")
    rclone("copy", f"cairn:{bucket}/tree", folder / "back")
    assert trees.digests(folder / "back") == trees.digests(source)
    (source / "index.json").unlink()
    (source / "study 2/one byte").write_bytes(b"changed")
    rclone("sync", source, f"cairn:{bucket}/tree", *cutoff)
    rclone("check", "--download", source, f"cairn:{bucket}/tree")
    rclone("copy", f"cairn:{bucket}/tree", f"cairn:{bucket}/server-side")
    rclone("check", "--download", source, f"cairn:{bucket}/server-side")
    rclone("moveto", f"cairn:{bucket}/server-side/study 2/画像.dcm", f"cairn:{bucket}/moved")
    assert rclone("cat", f"cairn:{bucket}/moved", text=False).stdout == trees.FILES["study 2/画像.dcm"]
    assert len(rclone("lsf", "-R", "--files-only", f"cairn:{bucket}/tree").stdout.splitlines()) == 7
    rclone("purge", f"cairn:{bucket}/tree")
    assert rclone("lsf", "-R", "--files-only", f"cairn:{bucket}/tree", check=False).stdout == ""


# s3cmd

@pytest.fixture
def s3cmd(endpoint, folder):
    config = folder / "s3cfg"
    config.write_text(
        "[default]\n"
        f"access_key = {endpoint.access_key}\nsecret_key = {endpoint.secret_key}\n"
        f"host_base = {endpoint.address}\nhost_bucket = {endpoint.address}\n"
        f"bucket_location = {REGION}\nuse_https = False\nmax_retries = 1\n"
    )

    def call(*arguments, **options):
        return run(endpoint, folder, "s3cmd", "-c", config, "--no-progress", *arguments, **options)

    return call


def test_s3cmd(s3cmd, bucket, folder):
    source = trees.make(folder / "source")
    s3cmd("put", source / "index.json", f"s3://{bucket}/a b+ü.json")
    s3cmd("get", f"s3://{bucket}/a b+ü.json", folder / "back.json")
    assert (folder / "back.json").read_bytes() == trees.FILES["index.json"]
    s3cmd("put", "--multipart-chunk-size-mb=5", source / "study 1/series+2/frame.dcm", f"s3://{bucket}/large")
    s3cmd("get", f"s3://{bucket}/large", folder / "large")
    assert (folder / "large").read_bytes() == trees.FILES["study 1/series+2/frame.dcm"]
    s3cmd("sync", f"{source}/", f"s3://{bucket}/tree/")
    (folder / "back").mkdir()
    s3cmd("sync", f"s3://{bucket}/tree/", f"{folder}/back/")
    assert trees.digests(folder / "back") == trees.digests(source)
    listed = s3cmd("ls", "--recursive", f"s3://{bucket}").stdout
    assert len(listed.splitlines()) == len(trees.FILES) + 2
    s3cmd("cp", f"s3://{bucket}/large", f"s3://{bucket}/copy")
    s3cmd("info", f"s3://{bucket}/copy")
    s3cmd("mv", f"s3://{bucket}/copy", f"s3://{bucket}/moved")
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}")
    assert s3cmd("ls", "--recursive", f"s3://{bucket}").stdout.strip() == ""
    s3cmd("mb", f"s3://{bucket}-s3cmd")
    s3cmd("rb", f"s3://{bucket}-s3cmd")


# restic

@pytest.mark.long
def test_restic(endpoint, bucket, folder):
    environment = {
        "RESTIC_REPOSITORY": f"s3:{endpoint.url}/{bucket}/repository",
        "RESTIC_PASSWORD": "correct horse battery staple",
    }

    def restic(*arguments, **options):
        return run(endpoint, folder, "restic", *arguments, extra=environment, **options)

    source = trees.make(folder / "source")
    restic("init", "-o", "s3.bucket-lookup=path")
    restic("backup", "source")
    (source / "index.json").write_bytes(b"changed")
    (source / "new").write_bytes(noise(3 * MIB, "new"))
    restic("backup", "source")
    restic("check", "--read-data")
    snapshots = [item["short_id"] for item in json.loads(restic("snapshots", "--json").stdout)]
    assert len(snapshots) == 2
    changes = restic("diff", *snapshots).stdout
    assert "index.json" in changes and "/new" in changes
    restic("restore", "latest", "--target", folder / "back")
    restored = next((folder / "back").rglob("source"))
    assert trees.digests(restored) == trees.digests(source)
    restic("forget", "--keep-last", "1", "--prune")
    restic("check", "--read-data")


# s3fs and fsspec

@pytest.fixture
def fs(endpoint):
    return s3fs.S3FileSystem(
        key=endpoint.access_key, secret=endpoint.secret_key, endpoint_url=endpoint.url, use_listings_cache=False,
        client_kwargs={"region_name": REGION}, config_kwargs={"s3": {"addressing_style": "path"}},
        skip_instance_cache=True,
    )


def test_s3fs(fs, bucket, folder):
    data = noise(23 * MIB + 1, "s3fs")
    with fs.open(f"{bucket}/large", "wb", block_size=5 * MIB) as file:
        for offset in range(0, len(data), MIB):
            file.write(data[offset:offset + MIB])
    with fs.open(f"{bucket}/large", "rb") as file:
        file.seek(11 * MIB - 3)
        assert file.read(10) == data[11 * MIB - 3:11 * MIB + 7]
        file.seek(0)
        assert sha256(file.read()) == sha256(data)
    assert fs.cat_ranges([f"{bucket}/large"] * 2, [0, MIB], [10, MIB + 10]) == [data[:10], data[MIB:MIB + 10]]
    fs.pipe({f"{bucket}/a/{number}": str(number).encode() for number in range(20)})
    assert fs.cat(f"{bucket}/a/7") == b"7"
    assert len(fs.ls(f"{bucket}/a")) == 20
    assert fs.exists(f"{bucket}/a/1") and not fs.exists(f"{bucket}/a/99")
    assert fs.info(f"{bucket}/large")["size"] == len(data)
    fs.copy(f"{bucket}/large", f"{bucket}/copy")
    fs.mv(f"{bucket}/copy", f"{bucket}/moved")
    fs.get(f"{bucket}/moved", str(folder / "back"))
    assert sha256((folder / "back").read_bytes()) == sha256(data)
    source = trees.make(folder / "source")
    fs.put(str(source), f"{bucket}/tree", recursive=True)
    assert len(fs.find(f"{bucket}/tree")) == len(trees.FILES)
    assert sorted(fs.glob(f"{bucket}/tree/study 1/*/slice-*.dcm"))[0].endswith("slice-001.dcm")
    fs.rm(f"{bucket}/tree", recursive=True)
    assert not fs.exists(f"{bucket}/tree")


def test_fsspec(endpoint, bucket):
    options = {"key": endpoint.access_key, "secret": endpoint.secret_key, "endpoint_url": endpoint.url,
               "client_kwargs": {"region_name": REGION}}
    with fsspec.open(f"s3://{bucket}/k.txt.gz", "wt", compression="gzip", **options) as file:
        file.write("Befund" * 1000)
    with fsspec.open(f"s3://{bucket}/k.txt.gz", "rt", compression="gzip", **options) as file:
        assert file.read() == "Befund" * 1000
