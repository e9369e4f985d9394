"""HTTP/1.1 over a plain socket, so that a test decides every byte that is sent."""

import dataclasses
import hashlib
import re
import socket

from .signature import Signer, path_of

# Less than the 75 s after which a server closes a connection that says nothing: silence is no answer.
TIMEOUT = 60


@dataclasses.dataclass
class Response:
    """What came back; `status` 0 says that the server closed the connection without an answer."""

    status: int = 0
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""

    @property
    def code(self) -> str:
        """The text of the S3 error's `<Code>`; empty when there is none."""
        match = re.search(rb"<Error>.*?<Code>([^<]*)</Code>", self.body, re.DOTALL)
        return match.group(1).decode() if match else ""

    @property
    def message(self) -> str:
        match = re.search(rb"<Message>([^<]*)</Message>", self.body)
        return match.group(1).decode() if match else ""


def exchange(endpoint, data: bytes, close_after_send=False, has_body=True, timeout=TIMEOUT) -> Response:
    """Sends bytes on a new connection and reads one answer. `close_after_send` closes our writing side, as a client
    that dies in the middle of its body does."""
    with socket.create_connection((endpoint.host, endpoint.port), timeout=timeout) as connection:
        try:
            connection.sendall(data)
            if close_after_send:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # It answered before it had read everything; the answer may still be there.
        try:
            return read_response(connection, has_body)
        except (ConnectionResetError, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                raise AssertionError(f"no answer within {timeout} s to {data[:200]!r}") from None
            return Response()


def read_response(connection, has_body=True) -> Response:
    file = connection.makefile("rb")
    while True:
        line = file.readline()
        if not line:
            return Response()
        status = int(line.split()[1])
        headers = {}
        while (line := file.readline().strip()):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if status >= 200:
            break
    body = b""
    if has_body and status not in (204, 304):
        if "content-length" in headers:
            body = file.read(int(headers["content-length"]))
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            while (size := int(file.readline().split(b";")[0] or b"0", 16)):
                body += file.read(size)
                file.readline()
        else:
            body = file.read()
    return Response(status, headers, body)


def head(method: str, target: str, headers: dict) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def request(
    endpoint, method, bucket="", key="", query="", body=b"", headers=None, payload=None, signer=None, unsigned=(),
    extra=None, edit=None, **options
) -> Response:
    """A signed request. `headers` are signed where they can be, `extra` are added afterwards, and `edit` may change the
    final headers; `payload` is the value of `x-amz-content-sha256`, the body's SHA-256 when None."""
    path = path_of(bucket, key) if bucket else "/"
    signer = signer or Signer(endpoint.access_key, endpoint.secret_key)
    payload = hashlib.sha256(body).hexdigest() if payload is None else payload
    all_headers = {"host": endpoint.address, "content-length": str(len(body)), **(headers or {})}
    signed = signer.sign(method, path, query, all_headers, payload, unsigned)
    signed.update(extra or {})
    if edit:
        signed = edit(signed)
    target = f"{path}?{query}" if query else path
    options.setdefault("has_body", method != "HEAD")
    return exchange(endpoint, head(method, target, signed) + body, **options)
