"""Users' secret keys are sealed under the master key before anything is written: no file of the store holds one."""

import errno
import os
import re

from support.server import Endpoint


def written(path) -> bytes:
    """What has been written to a file, one piece behind the other; most of a segment is room that was set aside."""
    pieces, end = [], 0
    with open(path, "rb") as file:
        while True:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return b"".join(pieces)
                raise
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            pieces.append(os.pread(file.fileno(), end - start, start))


def holders(folder, texts) -> dict[str, list[str]]:
    """By text, the files below the folder that have it in them."""
    found = {text: [] for text in texts}
    for path in folder.rglob("*"):
        if path.is_file():
            data = written(path)
            for text in texts:
                if text.encode() in data:
                    found[text].append(str(path.relative_to(folder)))
    return found


def test_no_file_holds_a_secret_key(servers):
    server = servers().start()
    said = server.admin("user", "add", "pacs").stdout
    access, secret = (re.search(rf"^{name} key +(\S+)$", said, re.MULTILINE)[1] for name in ("Access", "Secret"))
    user = Endpoint(server.port, access, secret)
    user.client().create_bucket(Bucket="archive")
    user.client().put_object(Bucket="archive", Key="k", Body=b"signed with it")

    def look():
        found = holders(server.data, (access, secret, server.secret_key))
        # It lies in plain text beside the sealed secret: what finds the one would find the other.
        for place in ("metadata", "journal"):
            assert any(place in path for path in found[access]), f"the access key is not in the {place}: {found}"
        assert found[secret] == [] and found[server.secret_key] == [], found

    look()
    server.stop()
    look()
    server.start()
    assert user.client().get_object(Bucket="archive", Key="k")["Body"].read() == b"signed with it"
