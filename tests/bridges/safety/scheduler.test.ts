import { fc } from '../../fast-check.ts'
import { describe, expect, it } from 'vitest'
import type { TimedSteps } from '../../../bridges/safety/scheduler.ts'
import { ActionScheduler } from '../../../bridges/safety/scheduler.ts'

interface Arrival {
  readonly steps: TimedSteps
  readonly atUs: number
}

/**
 * What is due at `nowUs`: of all that arrived in time, the newest that has begun decides; its step that covers the present is due. Steps count
 * from 1, so that 0 is none.
 */
function reference(arrivals: readonly Arrival[], nowUs: number, maxLeadUs: number): number {
  for (const { steps, atUs } of arrivals.toReversed()) {
    const firstUs = steps.dueUs === 0 ? atUs : steps.dueUs
    const count = steps.actions.length
    const ttlUs = steps.ttlUs ?? Infinity
    const isLate = firstUs + count * steps.stepUs <= atUs || firstUs + (count - 1) * steps.stepUs + ttlUs < atUs
    if (isLate || firstUs - atUs > maxLeadUs || firstUs > nowUs) continue
    const k = Math.floor((nowUs - firstUs) / steps.stepUs)
    const dueUs = firstUs + k * steps.stepUs
    return k < count && dueUs - atUs <= maxLeadUs && nowUs - dueUs <= ttlUs ? steps.actions[k]! : 0
  }
  return 0
}

const MAX_LEAD_US = 900

const arrivalArbitrary = fc.record({
  afterUs: fc.nat(120),
  count: fc.integer({ min: 1, max: 12 }),
  stepUs: fc.integer({ min: 1, max: 150 }),
  leadUs: fc.oneof(fc.constant(undefined), fc.integer({ min: -300, max: 1000 })),
  ttlUs: fc.oneof(fc.constant(undefined), fc.integer({ min: 1, max: 200 })),
})

describe('the scheduler', () => {
  it('executes what a reference does, for any arrivals, and counts every step once', () => {
    fc.assert(
      fc.property(fc.array(arrivalArbitrary, { maxLength: 25 }), fc.integer({ min: 5, max: 90 }), (given, tickUs) => {
        const scheduler = new ActionScheduler({ size: 1, kind: 'velocity', maxLeadUs: MAX_LEAD_US, capacity: 1000 })
        const arrivals: Arrival[] = []
        let atUs = 10_000
        let tickAtUs = atUs
        let lastSeq = -1
        const tickUntil = (untilUs: number): void => {
          for (; tickAtUs < untilUs; tickAtUs += tickUs) {
            const due = scheduler.next(tickAtUs)
            const expected = reference(arrivals, tickAtUs, MAX_LEAD_US)
            if ((due?.action[0] ?? 0) !== expected) expect(due?.action[0]).toBe(expected)
            if (due === undefined) continue
            const { stepUs, ttlUs = Infinity } = arrivals[due.seq]!.steps
            if (due.seq < lastSeq || due.lateUs >= stepUs || due.lateUs > ttlUs) expect(due).toBe('newer and in time')
            lastSeq = due.seq
          }
        }
        given.forEach(({ afterUs, count, stepUs, leadUs, ttlUs }, seq) => {
          atUs += afterUs
          tickUntil(atUs)
          const actions = Float32Array.from({ length: count }, (_, k) => 100 * seq + k + 1)
          const dueUs = leadUs === undefined ? 0 : atUs + leadUs
          const steps = { seq, actions, stepUs, dueUs, ...(ttlUs === undefined ? {} : { ttlUs }) }
          const verdict = scheduler.verdict(steps, atUs)
          arrivals.push({ steps, atUs })
          expect(scheduler.add(steps, atUs)).toBe(verdict)
          conserved(scheduler)
        })
        tickUntil(atUs + 3000)
        conserved(scheduler)
        expect(scheduler.counters.pending).toBe(0)
        expect(scheduler.counters.received).toBe(given.reduce((sum, { count }) => sum + count, 0))
      }),
      { numRuns: 500, seed: 1, endOnFailure: true },
    )
  })

  it('holds no more than its capacity, whatever comes', () => {
    const scheduler = new ActionScheduler({ size: 2, kind: 'position', capacity: 10 })
    for (let seq = 0; seq < 100; seq++) {
      scheduler.add({ seq, actions: new Float32Array(16), dueUs: 1000 + 7 * seq, stepUs: 5 }, 900)
      expect(scheduler.counters.pending).toBeLessThanOrEqual(10)
      conserved(scheduler)
    }
  })

  it('executes a step that covers several ticks again, counted once, and then none', () => {
    const scheduler = new ActionScheduler({ size: 1, kind: 'velocity' })
    scheduler.add({ seq: 3, actions: Float32Array.of(5), dueUs: 0, stepUs: 100 }, 1000)
    expect(scheduler.next(1000)).toMatchObject({ seq: 3, lateUs: 0, isNew: true })
    expect(scheduler.next(1099)).toMatchObject({ seq: 3, lateUs: 99, isNew: false })
    expect(scheduler.next(1100)).toBeUndefined()
    expect(scheduler.counters).toMatchObject({ received: 1, applied: 1, late: 0, pending: 0 })
  })

  it('executes nothing, first or again, that is due for longer than its time to live', () => {
    const ticks = (ttlUs: number, ...atUs: number[]): { values: number[]; late: number } => {
      const scheduler = new ActionScheduler({ size: 1, kind: 'velocity' })
      const steps = { seq: 0, actions: Float32Array.of(1, 2), dueUs: 1000, stepUs: 100, ttlUs }
      expect(scheduler.add(steps, 1000)).toBeUndefined()
      const values = atUs.map((nowUs) => scheduler.next(nowUs)?.action[0] ?? 0)
      conserved(scheduler)
      return { values, late: scheduler.counters.late }
    }
    expect(ticks(30, 1000, 1030, 1031, 1099, 1100, 1130)).toEqual({ values: [1, 1, 0, 0, 2, 2], late: 0 })
    expect(ticks(30, 1031, 1130)).toEqual({ values: [0, 2], late: 1 })
    expect(ticks(30, 1031, 1131)).toEqual({ values: [0, 0], late: 2 })
    expect(ticks(30, 1131)).toEqual({ values: [0], late: 2 })
    expect(ticks(300, 1050, 1199, 1200)).toEqual({ values: [1, 2, 0], late: 0 })
    const scheduler = new ActionScheduler({ size: 1, kind: 'velocity' })
    scheduler.add({ seq: 0, actions: Float32Array.of(1), dueUs: 0, stepUs: 100 }, 990)
    const late = { seq: 1, actions: Float32Array.of(3, 4), dueUs: 869, stepUs: 100, ttlUs: 30 }
    expect([scheduler.verdict({ ...late, dueUs: 870 }, 1000), scheduler.add(late, 1000)]).toEqual([undefined, 'late'])
    expect(scheduler.next(1000)?.action[0]).toBe(1)
  })

  it('goes in straight lines between positions when asked, never between velocities', () => {
    const at = (kind: 'position' | 'velocity', interpolates: boolean): number[] => {
      const scheduler = new ActionScheduler({ size: 1, kind, interpolates })
      scheduler.add({ seq: 0, actions: Float32Array.of(1, 3, 2), dueUs: 1000, stepUs: 100 }, 900)
      return [990, 1000, 1050, 1100, 1175, 1250, 1300].map((nowUs) => scheduler.next(nowUs)?.action[0] ?? NaN)
    }
    expect(at('position', true)).toEqual([NaN, 1, 2, 3, 2.25, 2, NaN])
    expect(at('position', false)).toEqual([NaN, 1, 1, 3, 3, 2, NaN])
    expect(at('velocity', true)).toEqual([NaN, 1, 1, 3, 3, 2, NaN])
  })

  it('moves nothing after clear', () => {
    const scheduler = new ActionScheduler({ size: 1, kind: 'position' })
    scheduler.add({ seq: 0, actions: Float32Array.of(1, 2), dueUs: 1000, stepUs: 100 }, 1000)
    scheduler.next(1000)
    scheduler.clear()
    expect(scheduler.next(1010)).toBeUndefined()
    expect(scheduler.next(1110)).toBeUndefined()
    expect(scheduler.counters).toMatchObject({ received: 2, applied: 1, superseded: 1, pending: 0 })
  })

  it('copies what it is given', () => {
    const scheduler = new ActionScheduler({ size: 1, kind: 'position' })
    const actions = Float32Array.of(1)
    scheduler.add({ seq: 0, actions, dueUs: 0, stepUs: 100 }, 1000)
    actions[0] = 9
    expect(scheduler.next(1000)?.action[0]).toBe(1)
  })
})

function conserved(scheduler: ActionScheduler): void {
  const { received, applied, late, tooEarly, superseded, pending } = scheduler.counters
  expect(applied + late + tooEarly + superseded + pending).toBe(received)
}
