"""S3 over TLS: the versions that are promised, and none before them."""

import hashlib
import http.client
import ssl
import subprocess

import pytest

from support.data import MIB, noise
from support.raw import TIMEOUT
from support.signature import Signer, path_of

BUCKET = "archive"
BODY = noise(2 * MIB, "tls")


@pytest.fixture
def certificate(folder):
    """One that signs itself, for the address that servers of tests listen on; and its key."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "2", "-subj", "/CN=archive", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
               "-out", str(chain)]
    subprocess.run(command, check=True, capture_output=True)
    return chain, key


class Client:
    """Signed requests over one version of TLS, to a server whose certificate is verified."""

    def __init__(self, server, chain, version):
        self.server = server
        self.context = ssl.create_default_context(cafile=chain)
        # The library here offers old versions only when it may use what they sign with.
        self.context.set_ciphers("DEFAULT:@SECLEVEL=0")
        self.context.minimum_version = self.context.maximum_version = version

    def request(self, method, key="", body=b"") -> tuple[int, bytes, str]:
        """Status, body and the version that was agreed on."""
        server, path = self.server, path_of(BUCKET, key)
        headers = {"host": server.address, "content-length": str(len(body))}
        signer = Signer(server.access_key, server.secret_key)
        signed = signer.sign(method, path, "", headers, hashlib.sha256(body).hexdigest())
        connection = http.client.HTTPSConnection(server.host, server.port, timeout=TIMEOUT, context=self.context)
        try:
            connection.connect()
            version = connection.sock.version()
            connection.request(method, path, body, signed)
            answer = connection.getresponse()
            return answer.status, answer.read(), version
        finally:
            connection.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_the_versions_that_are_served(servers, certificate):
    chain, key = certificate
    server = servers("--tls-certificate", str(chain), "--tls-key", str(key)).start()
    assert any(line.startswith(f"ready: S3 on https://{server.address}, ") for line in server.lines), server.lines
    assert Client(server, chain, ssl.TLSVersion.TLSv1_3).request("PUT")[0] == 200
    for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        client = Client(server, chain, version)
        assert client.request("PUT", name, BODY) == (200, b"", name)
        assert client.request("GET", name) == (200, BODY, name)
    with pytest.raises(ssl.SSLError) as refusal:
        Client(server, chain, ssl.TLSVersion.TLSv1_1).request("GET", "TLSv1.3")
    # The server's word, and not one of the library here.
    assert refusal.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION", refusal.value
