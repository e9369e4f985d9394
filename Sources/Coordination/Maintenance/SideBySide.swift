/// Works on several items at a time and hands over what came of them in batches, so that what has to be recorded of
/// many is recorded in one go.
///
/// Items go on while a batch is handed over; every outcome has been handed over when `run` returns. Items that claim the
/// same are not worked on at once; the first in order that can be begun is.
package struct SideBySide<Item: Sendable, Outcome: Sendable, Claim: Hashable & Sendable>: Sendable {
    /// Items worked on at a time.
    package let concurrency: Int
    /// Outcomes handed over in one go.
    package let batch: Int
    private let claims: @Sendable (Item) -> Set<Claim>
    private let work: @Sendable (Item) async -> Outcome?
    private let settle: @Sendable ([Outcome]) async -> Void

    /// `work` gives nil where nothing is to be handed over; `settle` takes what is, in the order in which it came.
    package init(
        concurrency: Int,
        batch: Int,
        claims: @escaping @Sendable (Item) -> Set<Claim>,
        work: @escaping @Sendable (Item) async -> Outcome?,
        settle: @escaping @Sendable ([Outcome]) async -> Void = { _ in }
    ) {
        self.concurrency = concurrency
        self.batch = batch
        self.claims = claims
        self.work = work
        self.settle = settle
    }

    private enum Event: Sendable {
        /// The item of this number has ended.
        case worked(Int, Outcome?)
        case settled
    }

    /// `goesOn` is asked before each item is begun: those left are dropped once it says no.
    package func run(_ items: some Sequence<Item>, while goesOn: () -> Bool = { true }) async {
        await withTaskGroup(of: Event.self) { group in
            var line = Line(items, claims: claims)
            var outcomes: [Outcome] = []
            begin(&line, in: &group, while: goesOn)
            while let event = await group.next() {
                guard case .worked(let number, let outcome) = event else { continue }
                line.end(number)
                if let outcome { outcomes.append(outcome) }
                if outcomes.count >= batch {
                    hand(over: outcomes, in: &group)
                    outcomes = []
                }
                begin(&line, in: &group, while: goesOn)
            }
            if !outcomes.isEmpty { await settle(outcomes) }
        }
    }

    private func begin(_ line: inout Line, in group: inout TaskGroup<Event>, while goesOn: () -> Bool) {
        while line.running < concurrency, goesOn(), let (number, item) = line.next() {
            group.addTask { [work] in .worked(number, await work(item)) }
        }
    }

    private func hand(over outcomes: [Outcome], in group: inout TaskGroup<Event>) {
        group.addTask { [settle] in
            await settle(outcomes)
            return .settled
        }
    }

    /// The items that are still to be begun, and what those begun claim.
    private struct Line {
        private var waiting: [(number: Int, item: Item, claims: Set<Claim>)]
        private var begun: [Int: Set<Claim>] = [:]
        private var taken: Set<Claim> = []

        var running: Int { begun.count }

        init(_ items: some Sequence<Item>, claims: (Item) -> Set<Claim>) {
            // The first is last, where it is taken away at no cost.
            waiting = items.enumerated().map { (number: $0, item: $1, claims: claims($1)) }.reversed()
        }

        mutating func next() -> (number: Int, item: Item)? {
            guard let index = waiting.lastIndex(where: { $0.claims.isDisjoint(with: taken) }) else { return nil }
            let (number, item, claims) = waiting.remove(at: index)
            begun[number] = claims
            taken.formUnion(claims)
            return (number, item)
        }

        mutating func end(_ number: Int) {
            taken.subtract(begun.removeValue(forKey: number) ?? [])
        }
    }
}

extension SideBySide where Claim == Never {
    /// For items that do not stand in each other's way.
    package init(
        concurrency: Int,
        batch: Int,
        work: @escaping @Sendable (Item) async -> Outcome?,
        settle: @escaping @Sendable ([Outcome]) async -> Void = { _ in }
    ) {
        self.init(concurrency: concurrency, batch: batch, claims: { _ in [] }, work: work, settle: settle)
    }
}
