"""The tests' own signer against the examples that AWS publishes."""

from support.signature import STREAMING_SIGNED, STREAMING_SIGNED_TRAILER, Signer

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def signer() -> Signer:
    return Signer("AKIAIOSFODNN7EXAMPLE", SECRET, time="20130524T000000Z")


def test_get_bucket_lifecycle():
    """ "Examples: Signature Calculations", sigv4-header-based-auth."""
    one = signer()
    one.sign("GET", "/", "lifecycle=", {"host": "examplebucket.s3.amazonaws.com"}, EMPTY)
    assert one.previous == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"


def test_presigned_get():
    """ "Authenticating Requests: Using Query Parameters", sigv4-query-string-auth."""
    query = signer().presign("GET", "/test.txt", "", {"host": "examplebucket.s3.amazonaws.com"}, 86400)
    assert query.endswith("=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


def test_chunked_upload():
    """ "Transferring Payload in Multiple Chunks", sigv4-streaming."""
    one = signer()
    headers = {
        "host": "s3.amazonaws.com", "x-amz-decoded-content-length": "66560",
        "content-encoding": "aws-chunked", "content-length": "66824",
    }
    # The example signs more headers than this signer does; what follows the seed is what is compared.
    one.sign("PUT", "/examplebucket/chunkObject.txt", "", headers, STREAMING_SIGNED)
    one.previous = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    one.chunk(b"a" * 65536)
    assert one.previous == "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
    one.chunk(b"a" * 1024)
    assert one.previous == "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
    one.chunk(b"")
    assert one.previous == "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"


def test_chunked_upload_with_a_trailer():
    """ "Transferring Payload in Multiple Chunks with Trailing Headers", sigv4-streaming-trailers."""
    one = signer()
    one.sign("PUT", "/examplebucket/chunkObject.txt", "", {"host": "s3.amazonaws.com"}, STREAMING_SIGNED_TRAILER)
    one.previous = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    one.chunk(b"a" * 65536)
    assert one.previous == "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"
    one.chunk(b"a" * 1024)
    assert one.previous == "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"
    one.chunk(b"")
    assert one.previous == "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"
    one.trailer({"x-amz-checksum-crc32c": "sOO8/Q=="})
    assert one.previous == "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
