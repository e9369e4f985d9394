import Checksums
import ObjectModel
import Testing

private let alphabet = Array("abcdefghijklmnopqrstuvwxyz".utf8)

@Suite("Message digests")
struct MessageDigestTests {
    @Test(
        "give the known answers of their standards",
        arguments: [
            (MessageDigest.md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
            (.md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
            (.md5, "abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
            (.sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (.sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                .sha512, "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                    + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
            ),
        ]
    )
    func knownAnswers(digest: MessageDigest, text: String, expected: String) {
        #expect(Hexadecimal.text(digest.digest(Array(text.utf8))) == expected)
    }

    @Test("are the same in pieces", arguments: MessageDigest.allCases)
    func pieces(digest: MessageDigest) {
        let bytes = noise(1_000)
        let stream = StreamingDigest(digest)
        bytes[..<63].withUnsafeBytes { stream.update($0) }
        stream.update(UnsafeRawBufferPointer(start: nil, count: 0))
        bytes[63...].withUnsafeBytes { stream.update($0) }
        #expect(stream.finalize() == digest.digest(bytes))
    }

    /// RFC 4231, cases 2 and 6.
    @Test(
        "HMAC-SHA-256 gives the known answers of RFC 4231",
        arguments: [
            (
                Array("Jefe".utf8), "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                [UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
        ]
    )
    func hmac(key: [UInt8], message: String, expected: String) {
        #expect(Hexadecimal.text(HMACSHA256.code(Array(message.utf8), key: key)) == expected)
    }

    @Test("XXH3-128 gives the known answer for nothing, and the same in pieces as at once")
    func xxh3() {
        let empty = XXH3Digest.digest(UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(empty == (0x99AA_06D3_0147_98D8, 0x6001_C324_468D_497F))
        let bytes = noise(100_000)
        let stream = XXH3Digest()
        #expect(stream.finalize() == empty)
        for start in stride(from: 0, to: bytes.count, by: 777) {
            bytes[start..<min(start + 777, bytes.count)].withUnsafeBytes { stream.update($0) }
        }
        #expect(stream.finalize() == bytes.withUnsafeBytes { XXH3Digest.digest($0) })
        stream.reset()
        #expect(stream.finalize() == empty)
    }
}

@Suite("XXH3-128")
struct XXH3Tests {
    /// Made by another build of the algorithm (the Python package `xxhash`), over each of its ranges of length.
    @Test(
        "gives the known answers",
        arguments: [
            (0, "99aa06d3014798d86001c324468d497f"),
            (1, "c89f16e01381dd11c00f9d4f580c0c3a"),
            (9, "3ad200a3678150cd289d4cd1af0c84bd"),
            (16, "09bfcf6d0d0c7508729073442c453ee7"),
            (17, "c0e06f2f6b379f4ad0b31235d80538af"),
            (128, "b0c97cf51fbd420ec14ef9bdf2926d91"),
            (129, "77672b5beabfd29e1c66bb88fb267529"),
            (240, "05fb829868e88d8b0dfe588c76a0d834"),
            (241, "19f9ed05e79938962cb1ed4a30c8bded"),
            (1_024, "92da9c0cebcc106c5ec111a1e5a293ae"),
            (100_000, "07108d9b3738154b17728b9ba27f68a8"),
        ]
    )
    func knownAnswers(length: Int, expected: String) {
        let bytes = noise(length)
        let (high, low) = bytes.withUnsafeBytes { XXH3Digest.digest($0) }
        #expect(Hexadecimal.text(high) + Hexadecimal.text(low) == expected)
        let stream = XXH3Digest()
        bytes.withUnsafeBytes { stream.update($0) }
        #expect(stream.finalize() == (high, low))
    }
}

@Suite("XXH64 and XXH3 of 64 bits")
struct XXHash64Tests {
    /// Made as those of XXH3-128.
    @Test(
        "give the known answers, at once and in pieces",
        arguments: [
            (0, "ef46db3751d8e999", "2d06800538d394c2"),
            (1, "f88dba187615c755", "c00f9d4f580c0c3a"),
            (3, "a8289444bacb8722", "e92112d1e602af4a"),
            (4, "b5f3937e33746dfe", "9008de7e100606d1"),
            (9, "0faa477e430ae42e", "568f9d2e69ad8bd0"),
            (16, "45e3168c5a177612", "600a07a4f5a9911c"),
            (17, "44570e72b4caef4f", "deab0265f35dfc24"),
            (31, "f5c9f1ca24bfd59e", "423b58cf0cc7d932"),
            (32, "9d7be8531562310d", "d04581c566616653"),
            (33, "0ca16790699c7125", "e2f96cd271e72881"),
            (128, "fb584860b12e8ddd", "410bd3b4d8d84f51"),
            (129, "a8246ddfa8e3db1c", "55964eec39625032"),
            (240, "18f74c23a0bcc206", "977b659bdc81fdb1"),
            (241, "33070583779dd991", "2cb1ed4a30c8bded"),
            (1_024, "a667c01059f6e47f", "5ec111a1e5a293ae"),
            (100_000, "4bb746e0b9f57d29", "17728b9ba27f68a8"),
        ]
    )
    func knownAnswers(length: Int, xxh64: String, xxh3: String) {
        let bytes = noise(length)
        for (algorithm, expected) in [(ChecksumAlgorithm.xxhash64, xxh64), (.xxhash3, xxh3)] {
            #expect(Hexadecimal.text(bytes.withUnsafeBytes { algorithm.digest($0) }) == expected)
            let stream = StreamingChecksum(algorithm)
            stream.update(UnsafeRawBufferPointer(start: nil, count: 0))
            for start in stride(from: 0, to: length, by: 777) {
                bytes[start..<min(start + 777, length)].withUnsafeBytes { stream.update($0) }
            }
            #expect(Hexadecimal.text(stream.finalize()) == expected)
        }
    }
}

@Suite("Checksum self-test")
struct ChecksumSelfTestTests {
    @Test("passes on this machine")
    func passes() throws {
        try ChecksumSelfTest.run()
    }
}

@Suite("S3 checksums")
struct ChecksumAlgorithmTests {
    @Test(
        "have the lengths and big-endian bytes of S3",
        arguments: [
            (ChecksumAlgorithm.crc32, "CRC32", "y/Q5Jg=="),
            (.crc32c, "CRC32C", "4waSgw=="),
            (.crc64nvme, "CRC64NVME", "rosUhgp5mIg="),
            (.sha1, "SHA1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (.sha256, "SHA256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
            (
                .sha512, "SHA512",
                "2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclUVba1u1A6z1dPuo/+hQ=="
            ),
            (.md5, "MD5", "JfnnlDI7RTiF9RgfG2JNCw=="),
            (.xxhash64, "XXHASH64", "jLhB20DmroM="),
            (.xxhash3, "XXHASH3", "ctyxi2ehff8="),
            (.xxhash128, "XXHASH128", "MxGUd+3l3NXpcWQnaB1YYA=="),
        ]
    )
    func knownAnswers(algorithm: ChecksumAlgorithm, name: String, expected: String) {
        let stream = StreamingChecksum(algorithm)
        checkInput[..<4].withUnsafeBytes { stream.update($0) }
        checkInput[4...].withUnsafeBytes { stream.update($0) }
        let digest = stream.finalize()
        #expect(algorithm.name == name)
        #expect(digest.count == algorithm.digestLength)
        #expect(Base64.encode(digest) == expected)
        #expect(checkInput.withUnsafeBytes { algorithm.digest($0) } == digest)
    }

    @Test("combine over parts exactly when they are CRCs", arguments: ChecksumAlgorithm.allCases)
    func combining(algorithm: ChecksumAlgorithm) {
        let bytes = noise(10_000)
        let first = bytes[..<6_001].withUnsafeBytes { algorithm.digest($0) }
        let second = bytes[6_001...].withUnsafeBytes { algorithm.digest($0) }
        let whole = bytes.withUnsafeBytes { algorithm.digest($0) }
        let combined = algorithm.combine(first, second, secondLength: bytes.count - 6_001)
        #expect(combined == (algorithm.isCombinable ? whole : nil))
        #expect(algorithm.combine(first, Array(second.dropLast()), secondLength: 1) == nil)
        #expect(algorithm.combine(first, second, secondLength: -1) == nil)
    }
}

@Suite("Base64")
struct Base64Tests {
    /// RFC 4648 §10.
    @Test(
        "gives the known answers of RFC 4648",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ]
    )
    func knownAnswers(plain: String, coded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == coded)
        #expect(Base64.decode(coded) == Array(plain.utf8))
    }

    @Test("reads back all lengths and all byte values")
    func roundTrips() {
        for length in 0...70 {
            let bytes = noise(length, seed: UInt64(length))
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
        let all = [UInt8](0...255)
        #expect(Base64.decode(Base64.encode(all)) == all)
    }

    @Test(
        "refuses everything but its own form",
        arguments: [
            "Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", " Zm9v", "Zm-_", "Z=g=",
            "Zg=a",
            "Zm9vYg==Zm9v", "é===",
        ]
    )
    func refusals(text: String) {
        #expect(Base64.decode(text) == nil)
    }
}

@Suite("Constant-time comparison")
struct ConstantTimeTests {
    @Test("says whether all bytes are the same")
    func comparison() {
        #expect(ConstantTime.areEqual([], []))
        #expect(ConstantTime.areEqual(alphabet, alphabet))
        #expect(!ConstantTime.areEqual(alphabet, Array(alphabet.dropLast())))
        for index in alphabet.indices {
            var other = alphabet
            other[index] ^= 1
            #expect(!ConstantTime.areEqual(alphabet, other))
        }
    }
}
