import AdminGateway
import Coordination
import ObjectInterface

/// The operator's word on what a forced start may have lost, or metadata that was put back.
extension StoreAdmin {
    func acceptForcedStart() async throws(AdminError) {
        do {
            guard try await store.acceptForcedStart() else {
                throw AdminError(.conflict, "no start was forced, and no metadata put back, that has not been accepted")
            }
        } catch let error as AdminError {
            throw error
        } catch {
            throw adminError(error)
        }
    }
}
