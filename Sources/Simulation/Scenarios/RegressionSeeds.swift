/// Seeds that once failed: each found a fault that is mended, and is run again by the tests.
package enum RegressionSeeds {
    /// Of the scenario `store`.
    package static let store: [UInt64] = []
}
