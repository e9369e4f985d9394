import AdminGateway
import Testing

@Suite("Users that may be added")
struct NewUserTests {
    static let rootID = String(repeating: "c0ffee00", count: 8)

    private func refusal(_ user: NewUser) -> AdminError.Code? {
        do throws(AdminError) {
            try user.check(rootID: Self.rootID)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("Nobody becomes a second root, by its name or by the id that owns its buckets")
    func root() {
        #expect(refusal(NewUser(name: "root")) == .conflict)
        #expect(refusal(NewUser(name: "Root")) == .conflict)
        #expect(refusal(NewUser(name: "pacs", id: Self.rootID)) == .conflict)
        #expect(refusal(NewUser(name: "rooter")) == nil)
    }

    @Test(
        "An id is of few characters, and not too long",
        arguments: ["", " ", "a b", "a/b", "a\nb", "é", String(repeating: "a", count: 129)]
    )
    func idsThatAreNone(id: String) { #expect(refusal(NewUser(name: "pacs", id: id)) == .badRequest) }

    /// Found by hand: every request of such a user was malformed.
    @Test(
        "An access key is what a request can name",
        arguments: [
            "", " ", "a,b", "a b", "a=b", "a/b", "a\nb", "a\tb", "a\u{7F}", "é", String(repeating: "a", count: 129),
        ]
    )
    func accessKeysThatAreNone(key: String) {
        #expect(refusal(NewUser(name: "pacs", accessKey: key)) == .badRequest)
    }

    @Test(
        "Names, addresses and secrets stay on one line",
        arguments: ["a\nb", "a\rb", "a\r\nb", "a\u{1B}[2J", "a\u{85}b", "\u{2028}"]
    )
    func textsOfSeveralLines(text: String) {
        #expect(refusal(NewUser(name: text)) == .badRequest)
        #expect(refusal(NewUser(name: "pacs", accessKey: "AK", secretKey: "12345678" + text)) == .badRequest)
        #expect(refusal(NewUser(name: "pacs", displayName: text)) == .badRequest)
        #expect(refusal(NewUser(name: "pacs", email: text)) == .badRequest)
    }

    @Test("Other names and access keys are taken")
    func otherTexts() {
        let user = NewUser(name: "Zoë Müller, 3rd floor", accessKey: "ak+1_x.y-z@site!", displayName: "Zoë/1")
        #expect(refusal(user) == nil)
        #expect(refusal(NewUser(name: "pacs", accessKey: String(repeating: "A", count: 128))) == nil)
    }

    @Test("A canonical id is taken, and so is none")
    func idsThatAreTaken() {
        #expect(refusal(NewUser(name: "pacs")) == nil)
        for id in [String(repeating: "0123456789abcdef", count: 4), "main-user_1", "tenant$user@site.org"] {
            #expect(refusal(NewUser(name: "pacs", id: id)) == nil)
        }
    }
}
