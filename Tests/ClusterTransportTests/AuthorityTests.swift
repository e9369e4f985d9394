import ClusterTransport
import LinuxSystem
import SystemInterface
import Testing

@Suite struct AuthorityTests {
    @Test func anAuthorityIsKeptAsText() throws {
        let made = try Fixture().authority
        let kept = try ClusterAuthority(certificatePEM: made.certificatePEM, keyPEM: made.keyPEM)
        #expect(kept.fingerprint == made.fingerprint)
        #expect(kept.fingerprint.count == 32)
        #expect(kept.cluster == "cluster-1")
        let other = try Fixture().authority
        #expect(throws: AuthorityError.keyMismatch) {
            try ClusterAuthority(certificatePEM: made.certificatePEM, keyPEM: other.keyPEM)
        }
    }

    @Test func anIdentityIsReadFromItsCertificate() throws {
        let fixture = try Fixture()
        let before = fixture.time.wall
        let identity = try fixture.identity("node-7")
        #expect(identity.name == "node-7")
        #expect(identity.role == .node)
        #expect(identity.cluster == "cluster-1")
        let now = fixture.time.wall
        let day: Int64 = 86_400_000
        // Certificates know whole seconds.
        let issued = identity.notAfter.milliseconds - 90 * day
        #expect((before.milliseconds - 2_000...now.milliseconds + 2_000).contains(issued))
        #expect(!identity.needsRenewal(now: now))
        #expect(!identity.needsRenewal(now: WallTime(milliseconds: now.milliseconds + 59 * day)))
        #expect(identity.needsRenewal(now: WallTime(milliseconds: now.milliseconds + 61 * day)))
        #expect(identity.needsRenewal(now: WallTime(milliseconds: now.milliseconds + 100 * day)))
    }

    @Test func whatDoesNotBelongTogetherIsNoIdentity() throws {
        let (fixture, other) = (try Fixture(), try Fixture())
        let (one, two) = (try fixture.identity("a"), try fixture.identity("b"))
        #expect(throws: AuthorityError.keyMismatch) {
            try ClusterIdentity(
                certificatePEM: one.certificatePEM,
                keyPEM: two.keyPEM,
                authorityPEM: one.authorityPEM
            )
        }
        #expect(throws: AuthorityError.foreign) {
            try ClusterIdentity(
                certificatePEM: one.certificatePEM,
                keyPEM: one.keyPEM,
                authorityPEM: other.authority.certificatePEM
            )
        }
        #expect(throws: AuthorityError.malformed(what: "certificate")) {
            try ClusterIdentity(certificatePEM: "x", keyPEM: one.keyPEM, authorityPEM: one.authorityPEM)
        }
        // Which of the three is damaged is what an operator needs to hear.
        #expect(throws: AuthorityError.malformed(what: "authority")) {
            try ClusterIdentity(certificatePEM: one.certificatePEM, keyPEM: one.keyPEM, authorityPEM: "x")
        }
        #expect(throws: AuthorityError.malformed(what: "key")) {
            try ClusterIdentity(certificatePEM: one.certificatePEM, keyPEM: "x", authorityPEM: one.authorityPEM)
        }
    }

    @Test(arguments: ["", "a b", "a/b", String(repeating: "x", count: 64), "ä", "coordinator"])
    func namesAreChecked(_ name: String) throws {
        let fixture = try Fixture()
        #expect(throws: AuthorityError.invalidName(name)) { try fixture.identity(name) }
    }

    @Test func aPublicKeyMustBeOne() throws {
        let fixture = try Fixture()
        #expect(throws: AuthorityError.malformed(what: "public key")) {
            try fixture.authority.issue(name: "a", role: .node, publicKeyPEM: "x", now: fixture.time.wall)
        }
    }

    @Test func tokensAreReadStrictly() throws {
        let token = JoinToken(fingerprint: Array(0..<32))
        #expect(try JoinToken(parsing: token.text) == token)
        #expect(token.secretDigest == JoinToken.digest(token.secret))
        #expect(JoinToken.areEqual(token.secret, token.secret))
        #expect(!JoinToken.areEqual(token.secret, token.fingerprint))
        #expect(!JoinToken.areEqual(token.secret, []))
        #expect(JoinToken(fingerprint: token.fingerprint).secret != token.secret)
        var wrong = [
            "", "cairn1", token.text + "=", token.text + ".", " " + token.text, token.text.uppercased(),
            String(token.text.dropLast()), token.text.replacing("cairn1", with: "cairn2"), token.text + "A",
        ]
        // The last character carries four bits: others of its kind say the same to a lenient reader.
        wrong.append(token.text.dropLast() + "9")
        for text in wrong where text != token.text {
            #expect(throws: AuthorityError.malformed(what: "join token")) { try JoinToken(parsing: text) }
        }
    }
}
