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

    @Test("A canonical id is taken, and so is none")
    func idsThatAreTaken() {
        #expect(refusal(NewUser(name: "pacs")) == nil)
        for id in [String(repeating: "0123456789abcdef", count: 4), "main-user_1", "tenant$user@site.org"] {
            #expect(refusal(NewUser(name: "pacs", id: id)) == nil)
        }
    }
}
