import ClusterTransport
import Testing

/// A name is given once, and a token lets in what it was made for.
@Suite("Who may join a cluster")
struct JoinBookTests {
    private static let fingerprint = [UInt8](repeating: 7, count: JoinToken.length)
    private var book = JoinBook()

    private mutating func token(replacing name: String? = nil, expires: Int = 100) -> JoinToken {
        let token = JoinToken(fingerprint: Self.fingerprint)
        let isKept = book.add(token, replacing: name, expires: expires, now: 0)
        #expect(isKept)
        return token
    }

    private mutating func admit(
        _ name: String,
        _ token: JoinToken,
        _ known: JoinBook.Known = JoinBook.Known(),
        in site: String = "site-1",
        now: Int = 1
    ) throws -> JoinBook.Admission {
        try book.admit(name, in: site, secret: token.secret, known, now: now)
    }

    @Test mutating func aTokenLetsOneNodeInOnce() throws {
        let token = self.token()
        _ = try admit("node-1", token)
        #expect(book.names == ["node-1"])
        #expect(book.tokens.isEmpty)
        #expect(throws: JoinBook.Refusal.usedToken) { try admit("node-2", token) }
        let late = self.token(expires: 50)
        #expect(throws: JoinBook.Refusal.expiredToken) { try admit("node-2", late, now: 50) }
        #expect(throws: JoinBook.Refusal.unknownToken) {
            try admit("node-2", JoinToken(fingerprint: Self.fingerprint))
        }
    }

    @Test mutating func whyATokenIsRefusedIsKnownAfterOthersWereMadeAndOfTheLatestOnly() throws {
        let (used, late) = (token(), token(expires: 50))
        let admission = try admit("node-1", used)
        book.revoke(admission)
        #expect(book.spent.isEmpty)
        _ = try admit("node-1", used)
        // As an earlier run of the coordinator wrote them down.
        book = JoinBook(tokens: book.tokens, spent: book.spent, names: book.names)
        let isKept = book.add(JoinToken(fingerprint: Self.fingerprint), expires: 100, now: 50)
        #expect(isKept && book.tokens.count == 1)
        #expect(throws: JoinBook.Refusal.usedToken) { try admit("node-2", used, now: 50) }
        #expect(throws: JoinBook.Refusal.expiredToken) { try admit("node-2", late, now: 50) }
        for number in 0..<JoinBook.spentLimit - 1 { _ = try admit("other-\(number)", token()) }
        #expect(book.spent.count == JoinBook.spentLimit)
        #expect(throws: JoinBook.Refusal.unknownToken) { try admit("node-2", used) }
        #expect(throws: JoinBook.Refusal.expiredToken) { try admit("node-2", late) }
        let reasons = [JoinBook.Refusal.unknownToken, .usedToken, .expiredToken].map(\.description)
        #expect(Set(reasons).count == 3)
    }

    @Test(arguments: ["coordinator", "", "Node", "a.b", "a b", "a\nb", String(repeating: "x", count: 33)])
    mutating func aNameThatCannotBeOneCostsNoToken(_ name: String) throws {
        let token = self.token()
        #expect(throws: JoinBook.Refusal.invalidName) { try admit(name, token) }
        #expect(book.names.isEmpty)
        _ = try admit("node-1", token)
    }

    @Test mutating func theNameOfAMemberCannotBeTakenHoweverLongItIsSilent() throws {
        _ = try admit("node-1", token())
        let token = self.token()
        #expect(throws: JoinBook.Refusal.nameOfMember("node-1")) { try admit("node-1", token) }
        #expect(throws: JoinBook.Refusal.nameOfMember("old")) { try admit("old", token, .init(isMember: true)) }
        _ = try admit("node-2", token)
    }

    /// Else a node that another coordinator had let in, before a take-over, would be forgotten when it is removed.
    @Test mutating func aNameStaysTakenWhoeverGaveIt() throws {
        let token = self.token()
        _ = book.dismiss("removed", shown: 0, now: 1)
        #expect(book.names == ["removed"])
        #expect(throws: JoinBook.Refusal.nameOfMember("removed")) { try admit("removed", token) }
        // Removed by the coordinator before, and one that has shown a later certificate.
        book = JoinBook(tokens: book.tokens, floors: ["old": 7])
        #expect(throws: JoinBook.Refusal.nameOfMember("old")) { try admit("old", token) }
        #expect(throws: JoinBook.Refusal.nameOfMember("seen")) { try admit("seen", token, .init(shown: 4)) }
        #expect(try admit("old", self.token(replacing: "old")).generation == 8)
        _ = try admit("node-2", token)
    }

    @Test mutating func aTokenForAMemberLetsExactlyThatOneJoinAgain() throws {
        _ = try admit("node-1", token())
        let token = self.token(replacing: "node-1")
        #expect(throws: JoinBook.Refusal.tokenOfMember("node-1")) { try admit("node-2", token) }
        #expect(throws: JoinBook.Refusal.memberRuns("node-1")) { try admit("node-1", token, .init(isPresent: true)) }
        _ = try admit("node-1", token, .init(isMember: true))
        #expect(throws: JoinBook.Refusal.usedToken) { try admit("node-1", token) }
        #expect(book.names == ["node-1"])
    }

    @Test mutating func aMachineTakesANodesPlaceInTheSiteWhereItsDisksCount() throws {
        _ = try admit("node-1", token())
        let token = self.token(replacing: "node-1")
        let known = JoinBook.Known(isMember: true, site: "site-1")
        #expect(throws: JoinBook.Refusal.siteOfDisks("node-1", site: "site-1")) {
            try admit("node-1", token, known, in: "site-2")
        }
        _ = try admit("node-1", token, known)
        // A node without disks may stand anywhere.
        _ = try admit("node-1", self.token(replacing: "node-1"), .init(isMember: true), in: "site-2")
    }

    @Test mutating func aNameGivenAnewIsOfALaterGenerationThanAllBefore() throws {
        #expect(try admit("node-1", token()).generation == 0)
        #expect(book.floors.isEmpty, "as every name of the version before")
        let again = try admit("node-1", token(replacing: "node-1"))
        #expect(again.generation == 1 && book.floors == ["node-1": 1])
        // One that was seen after a take-over, of which this folder knows nothing.
        let token = self.token(replacing: "node-1")
        let third = try admit("node-1", token, .init(shown: 4))
        #expect(third.generation == 5 && book.floors == ["node-1": 5])
        book.revoke(third)
        #expect(book.floors == ["node-1": 1])
        let dismissed = book.dismiss("node-1", shown: 1, now: 1)
        #expect(dismissed == 2)
        #expect(try admit("node-1", self.token(replacing: "node-1")).generation == 3)
        // Also where the names were lost.
        book = JoinBook(tokens: book.tokens, floors: book.floors)
        #expect(try admit("node-1", self.token(replacing: "node-1")).generation == 4)
        // Damaged, or from a clock that ran wild: an end, not a trap.
        var last = JoinBook(floors: ["node-1": .max])
        let greatest = last.dismiss("node-1", shown: 0, now: .max)
        #expect(greatest == .max)
    }

    /// Else two machines of one name would both be members, or the one that was replaced in the place of the other.
    @Test mutating func aNameGivenAnewByACoordinatorOutOfABackupIsOfALaterGenerationThanWhatItForgot() throws {
        _ = try admit("node-1", token())
        let backup = book
        let forgotten = try admit("node-1", token(replacing: "node-1", expires: 9_000), now: 1_000)
        let removed = book.dismiss("node-1", shown: forgotten.generation, now: 1_000)
        #expect(removed > forgotten.generation)
        book = backup
        let known = try admit("node-1", token(replacing: "node-1", expires: 9_000), now: 2_000)
        #expect(known.generation > removed && book.floors == ["node-1": known.generation])
        // A clock that was put back, too: what is known counts.
        let next = book.dismiss("node-1", shown: 0, now: 5)
        #expect(next == known.generation + 1)
    }

    @Test mutating func aJoinThatCouldNotBeKeptCostsNothing() throws {
        let token = self.token()
        book.revoke(try admit("node-1", token))
        #expect(book.names.isEmpty)
        _ = try admit("node-1", token)
        let again = self.token(replacing: "node-1")
        book.revoke(try admit("node-1", again))
        #expect(book.names == ["node-1"])
        _ = try admit("node-1", again)
    }
}
