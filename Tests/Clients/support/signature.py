"""AWS Signature Version 4, small and separate from botocore's, so that tests can break any part of it.

Source: "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API Reference.
"""

import datetime
import hashlib
import hmac
from urllib.parse import quote, unquote

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def encode(text: str | bytes, safe: str = "-_.~") -> str:
    return quote(text, safe=safe)


def path_of(bucket: str, key: str | bytes = "") -> str:
    """The path of a request as it goes over the wire; keys are encoded byte by byte, slashes kept."""
    return f"/{bucket}/{encode(key, '-_.~/')}" if key else f"/{bucket}"


def now(skew: float = 0) -> str:
    time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=skew)
    return time.strftime("%Y%m%dT%H%M%SZ")


def canonical_query(query: str) -> str:
    pairs = []
    for item in filter(None, query.split("&")):
        name, _, value = item.partition("=")
        pairs.append((encode(unquote(name)), encode(unquote(value))))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


class Signer:
    """Signs one request; keeps what its chunks need."""

    def __init__(self, access_key, secret_key, region="us-east-1", service="s3", time=None):
        self.access_key = access_key
        self.region = region
        self.service = service
        self.time = time or now()
        self.scope = f"{self.time[:8]}/{region}/{service}/aws4_request"
        key = ("AWS4" + secret_key).encode()
        for step in (self.time[:8], region, service, "aws4_request"):
            key = self._hmac(key, step)
        self.key = key
        self.previous = ""

    @staticmethod
    def _hmac(key: bytes, text: str) -> bytes:
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    def _signature(self, canonical: str) -> str:
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.time}\n{self.scope}\n{digest}"
        return self._hmac(self.key, text).hex()

    def _canonical(self, method, path, query, headers, signed, payload) -> str:
        lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed)
        return "\n".join([method, path, canonical_query(query), lines, ";".join(signed), payload])

    def sign(self, method, path, query, headers: dict, payload: str, unsigned=()) -> dict:
        """`headers` (lower-case names) with `x-amz-date`, `x-amz-content-sha256` and `authorization` added. Headers
        named in `unsigned` are sent, not signed."""
        headers = dict(headers)
        headers.setdefault("x-amz-date", self.time)
        headers.setdefault("x-amz-content-sha256", payload)
        signed = sorted(
            name for name in headers
            if name not in unsigned and (name in ("host", "content-type", "content-md5") or name.startswith("x-amz-"))
        )
        self.previous = self._signature(self._canonical(method, path, query, headers, signed, payload))
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope}, "
            f"SignedHeaders={';'.join(signed)}, Signature={self.previous}"
        )
        return headers

    def presign(self, method, path, query, headers: dict, expires=300, payload=UNSIGNED) -> str:
        """The query of a presigned request; signs `host` and whatever else `headers` holds."""
        signed = sorted(headers)
        parts = [query] if query else []
        parts += [
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            f"X-Amz-Credential={encode(f'{self.access_key}/{self.scope}')}",
            f"X-Amz-Date={self.time}",
            f"X-Amz-Expires={expires}",
            f"X-Amz-SignedHeaders={encode(';'.join(signed))}",
        ]
        full = "&".join(parts)
        signature = self._signature(self._canonical(method, path, full, headers, signed, payload))
        return f"{full}&X-Amz-Signature={signature}"

    # Chunked bodies. Each chunk's signature covers the one before it.

    def chunk(self, data: bytes) -> bytes:
        digest = hashlib.sha256(data).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{self.time}\n{self.scope}\n{self.previous}\n{EMPTY_SHA256}\n{digest}"
        self.previous = self._hmac(self.key, text).hex()
        return f"{len(data):x};chunk-signature={self.previous}\r\n".encode() + data + b"\r\n"

    def trailer(self, lines: dict) -> bytes:
        text = "".join(f"{name}:{value}\n" for name, value in sorted(lines.items()))
        digest = hashlib.sha256(text.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256-TRAILER\n{self.time}\n{self.scope}\n{self.previous}\n{digest}"
        self.previous = self._hmac(self.key, to_sign).hex()
        sent = "".join(f"{name}:{value}\r\n" for name, value in sorted(lines.items()))
        return f"{sent}x-amz-trailer-signature:{self.previous}\r\n\r\n".encode()
