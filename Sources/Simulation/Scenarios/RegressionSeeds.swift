/// Seeds that once failed: each found a fault that is mended, and is run again by the tests.
package enum RegressionSeeds {
    /// Of the scenario `store`. 2 and 3: an object larger than a stripe of small cells was put into a pack.
    package static let store: [UInt64] = [2, 3]
}
