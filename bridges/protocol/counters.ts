import type { ErrorCode } from './errors.ts'

/** What became of an action that was received. */
export type ActionOutcome = 'applied' | 'late' | 'tooEarly' | 'superseded'

/**
 * Counts what becomes of actions; each step of a chunk counts as one. Every action that was received ends in exactly one place:
 * received = applied + late + tooEarly + superseded + rejected + pending. {@link isConserved} checks that against the queue.
 */
export class Counters {
  private receivedCount = 0
  private readonly outcomes: Record<ActionOutcome, number> = { applied: 0, late: 0, tooEarly: 0, superseded: 0 }
  private readonly rejects = new Map<ErrorCode, number>()

  received(count = 1): void {
    this.receivedCount += count
  }

  settle(outcome: ActionOutcome, count = 1): void {
    this.outcomes[outcome] += count
  }

  reject(code: ErrorCode, count = 1): void {
    this.rejects.set(code, (this.rejects.get(code) ?? 0) + count)
  }

  get rejected(): number {
    let sum = 0
    for (const count of this.rejects.values()) sum += count
    return sum
  }

  /** Whether nothing was lost or counted twice, given how many actions wait in the queue. */
  isConserved(pending: number): boolean {
    const { applied, late, tooEarly, superseded } = this.outcomes
    return this.receivedCount === applied + late + tooEarly + superseded + this.rejected + pending
  }

  /** For `metrics`: snake_case names, rejects also by their code. */
  toRecord(): Record<string, number> {
    const { applied, late, tooEarly, superseded } = this.outcomes
    return {
      actions_received: this.receivedCount,
      actions_applied: applied,
      actions_late: late,
      actions_too_early: tooEarly,
      actions_superseded: superseded,
      actions_rejected: this.rejected,
      ...Object.fromEntries([...this.rejects].map(([code, count]) => [`actions_rejected_${code}`, count])),
    }
  }
}
