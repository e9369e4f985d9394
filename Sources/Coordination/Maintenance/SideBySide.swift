package import SystemInterface

/// Works on several items at a time and hands over what came of them in batches, so that what has to be recorded of
/// many is recorded in one go.
///
/// A batch is handed over when it is large enough, when its first outcome has waited long enough, or when nothing is
/// left to come. Items go on meanwhile; every outcome has been handed over when `run` returns. Items that claim the
/// same are not worked on at once; the first in order that can be begun is.
package struct SideBySide<Item: Sendable, Outcome: Sendable, Claim: Hashable & Sendable>: Sendable {
    private let concurrency: @Sendable () -> Int
    private let batch: Int
    private let patience: Duration
    private let time: any TimeSource
    private let claims: @Sendable (Item) -> Set<Claim>
    private let work: @Sendable (Item) async -> Outcome?
    private let settle: @Sendable ([Outcome]) async -> Void

    /// `concurrency`: items worked on at a time, asked whenever one may begin. `batch`: outcomes handed over in one go
    /// at most, and `patience`, how long one waits for others. `work` gives nil where nothing is to be handed over;
    /// `settle` takes what is, in the order in which it came.
    package init(
        concurrency: @escaping @autoclosure @Sendable () -> Int,
        batch: Int,
        patience: Duration,
        time: any TimeSource,
        claims: @escaping @Sendable (Item) -> Set<Claim>,
        work: @escaping @Sendable (Item) async -> Outcome?,
        settle: @escaping @Sendable ([Outcome]) async -> Void
    ) {
        self.concurrency = concurrency
        self.batch = batch
        self.patience = patience
        self.time = time
        self.claims = claims
        self.work = work
        self.settle = settle
    }

    private enum Event: Sendable {
        /// The item of this number has ended.
        case worked(Int, Outcome?)
        /// The first outcome of the batch of this number has waited long enough.
        case due(Int)
        case settled
    }

    /// `goesOn` is asked before each item is begun: those left are dropped once it says no.
    package func run(_ items: some Sequence<Item>, while goesOn: () -> Bool = { true }) async {
        var line = Line(items, claims: claims)
        await run(next: { goesOn() ? line.next() : nil }, ended: { line.end($0) })
    }

    /// Draws item after item, whenever one may begin, until none is given while none is under way. Claims do not count.
    package func run(drawing draw: () -> Item?) async {
        var number = 0
        await run(
            next: {
                number += 1
                return draw().map { (number, $0) }
            },
            ended: { _ in }
        )
    }

    private func run(next: () -> (number: Int, item: Item)?, ended: (Int) -> Void) async {
        await withTaskGroup(of: Event.self) { group in
            var running = 0
            var tray = Tray()
            begin(&running, in: &group, next)
            while running > 0 || tray.settling > 0, let event = await group.next() {
                switch event {
                case .worked(let number, let outcome):
                    running -= 1
                    ended(number)
                    if let outcome { take(outcome, &tray, in: &group) }
                case .due(let number): if number == tray.number { handOver(&tray, in: &group) }
                case .settled: tray.settling -= 1
                }
                begin(&running, in: &group, next)
                if running == 0 { handOver(&tray, in: &group) }
            }
            // What is left only waits for batches to become due.
            group.cancelAll()
        }
    }

    private func begin(
        _ running: inout Int,
        in group: inout TaskGroup<Event>,
        _ next: () -> (number: Int, item: Item)?
    ) {
        while running < concurrency(), let (number, item) = next() {
            running += 1
            group.addTask { [work] in .worked(number, await work(item)) }
        }
    }

    private func take(_ outcome: Outcome, _ tray: inout Tray, in group: inout TaskGroup<Event>) {
        tray.outcomes.append(outcome)
        if tray.outcomes.count >= batch {
            handOver(&tray, in: &group)
        } else if tray.outcomes.count == 1 {
            group.addTask { [number = tray.number, time, patience] in
                try? await time.sleep(for: patience)
                return .due(number)
            }
        }
    }

    private func handOver(_ tray: inout Tray, in group: inout TaskGroup<Event>) {
        guard !tray.outcomes.isEmpty else { return }
        group.addTask { [settle, outcomes = tray.outcomes] in
            await settle(outcomes)
            return .settled
        }
        tray = Tray(number: tray.number + 1, settling: tray.settling + 1)
    }

    /// Outcomes that have not been handed over.
    private struct Tray {
        /// Of the batch.
        var number = 0
        var outcomes: [Outcome] = []
        /// Batches that are being handed over.
        var settling = 0
    }

    /// The items that are still to be begun, and what those begun claim.
    private struct Line {
        private var waiting: [(number: Int, item: Item, claims: Set<Claim>)]
        private var begun: [Int: Set<Claim>] = [:]
        private var taken: Set<Claim> = []

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
        concurrency: @escaping @autoclosure @Sendable () -> Int,
        batch: Int,
        patience: Duration,
        time: any TimeSource,
        work: @escaping @Sendable (Item) async -> Outcome?,
        settle: @escaping @Sendable ([Outcome]) async -> Void
    ) {
        self.init(
            concurrency: concurrency(),
            batch: batch,
            patience: patience,
            time: time,
            claims: { _ in [] },
            work: work,
            settle: settle
        )
    }
}

extension SideBySide where Outcome == Never {
    /// For work of which nothing is handed over.
    package init(
        concurrency: @escaping @autoclosure @Sendable () -> Int,
        time: any TimeSource,
        claims: @escaping @Sendable (Item) -> Set<Claim>,
        work: @escaping @Sendable (Item) async -> Void
    ) {
        self.init(
            concurrency: concurrency(),
            batch: 1,
            patience: .zero,
            time: time,
            claims: claims,
            work: { item in
                await work(item)
                return nil
            },
            settle: { _ in }
        )
    }
}
