import { fc } from '../../fast-check.ts'
import { describe, expect, it } from 'vitest'
import type { WireArray } from '../../../bridges/protocol/arrays.ts'
import { arrayFromWire, arrayToWire } from '../../../bridges/protocol/arrays.ts'
import { ClockSync } from '../../../bridges/protocol/clock-sync.ts'
import { Counters } from '../../../bridges/protocol/counters.ts'
import { Histogram } from '../../../bridges/protocol/histogram.ts'
import {
  actionDigest,
  digestOf,
  observationDigest,
  schemaDifferences,
  schemaOf,
  spaceOf,
} from '../../../bridges/protocol/schema.ts'
import { decodeMsgpack, encodeMsgpack } from '../../../bridges/protocol/msgpack.ts'
import type { RobotSpec } from '../../../src/core/robot.ts'
import { boxSpace, imageSpace, symmetricSpace } from '../../../src/core/spaces.ts'
import { sampleSchema } from './samples.ts'

describe('ClockSync', () => {
  it('finds the offset to within half the shortest round trip, whatever the delays', () => {
    const delay = fc.integer({ min: 50, max: 20_000 })
    const trips = fc.array(fc.tuple(delay, delay, fc.nat(500)), { minLength: 8, maxLength: 100 })
    fc.assert(
      fc.property(trips, fc.integer({ min: -1e12, max: 1e12 }), (delays, offset) => {
        const sync = new ClockSync()
        let now = 1e6
        for (const [there, back, busy] of delays) {
          const t2 = now + there + offset
          sync.addSample(now, t2, t2 + busy, now + there + busy + back)
          now += 200_000
        }
        const shortest = Math.min(...delays.slice(-64).map(([there, back]) => there + back))
        expect(sync.errorUs).toBe(shortest / 2)
        expect(Math.abs(sync.offsetUs - offset)).toBeLessThanOrEqual(sync.errorUs)
        expect(Math.abs(sync.toLocal(sync.toRemote(now)) - now)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('is ready after eight samples, and forgets the sixty-fifth', () => {
    const sync = new ClockSync()
    expect(sync.errorUs).toBe(Infinity)
    sync.addSample(0, 1000, 1000, 10)
    for (let i = 1; i < 8; i++) {
      expect(sync.ready).toBe(false)
      sync.addSample(0, 2000, 2000, 100)
    }
    expect(sync.ready).toBe(true)
    expect(sync.errorUs).toBe(5)
    for (let i = 0; i < 57; i++) sync.addSample(0, 2000, 2000, 100)
    expect(sync.errorUs).toBe(50)
  })

  it('keeps no sample in which time runs backwards', () => {
    const sync = new ClockSync()
    expect(sync.addSample(10, 0, 0, 9)).toBe(false)
    expect(sync.addSample(0, 5, 4, 9)).toBe(false)
    expect(sync.addSample(0, 0, 20, 10)).toBe(false)
    expect(sync.addSample(NaN, 0, 0, 0)).toBe(false)
    expect(sync.errorUs).toBe(Infinity)
  })
})

describe('Histogram', () => {
  it('knows every percentile to within 1 %, as sorting does', () => {
    const durations = fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(durations, fc.double({ min: 0, max: 100, noNaN: true }), (values, percent) => {
        const histogram = new Histogram()
        for (const value of values) histogram.record(value)
        const exact = values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil((percent / 100) * values.length)) - 1]!
        const found = histogram.percentileUs(percent)
        expect(found).toBeGreaterThanOrEqual(Math.floor(exact))
        expect(found).toBeLessThanOrEqual(Math.max(exact * 1.01, exact + 1))
      }),
    )
  })

  it('takes anything, and says what it has', () => {
    const histogram = new Histogram()
    expect([histogram.count, histogram.maxUs, histogram.percentileUs(50)]).toEqual([0, 0, 0])
    for (const value of [-5, NaN, 3, 1e12]) histogram.record(value)
    expect([histogram.count, histogram.maxUs]).toEqual([4, 1e12])
    expect(histogram.percentileUs(50)).toBe(0)
    expect(histogram.percentileUs(75)).toBe(3)
    histogram.clear()
    expect([histogram.count, histogram.maxUs]).toEqual([0, 0])
  })
})

describe('Counters', () => {
  it('are conserved exactly when every action has one end', () => {
    const counters = new Counters()
    counters.received(10)
    counters.settle('applied', 4)
    counters.settle('late')
    counters.settle('tooEarly')
    counters.settle('superseded')
    counters.reject('not_finite', 2)
    expect(counters.isConserved(1)).toBe(true)
    expect(counters.isConserved(0)).toBe(false)
    counters.reject('epoch_stale')
    expect(counters.isConserved(0)).toBe(true)
    expect(counters.toRecord()).toEqual({
      actions_received: 10,
      actions_applied: 4,
      actions_late: 1,
      actions_too_early: 1,
      actions_superseded: 1,
      actions_rejected: 3,
      actions_rejected_not_finite: 2,
      actions_rejected_epoch_stale: 1,
    })
  })
})

describe('arrays', () => {
  it.each([
    ['uint8', Uint8Array.of(0, 255)],
    ['int8', Int8Array.of(-128, 127)],
    ['uint16', Uint16Array.of(0, 65_535)],
    ['int16', Int16Array.of(-32_768, 32_767)],
    ['uint32', Uint32Array.of(0, 2 ** 32 - 1)],
    ['int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
    ['int64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)],
    ['float32', Float32Array.of(-0, NaN)],
    ['float64', Float64Array.of(5e-324, -Infinity)],
    ['bool', Uint8Array.of(0, 1)],
  ] as const)('of %s come back as they went, from a view too', (dtype, data) => {
    const array = { dtype, data, shape: [1, 2] } as WireArray
    expect(returned(array)).toEqual(array)
    const half = { dtype, data: data.subarray(1), shape: [] } as unknown as WireArray
    expect(returned(half)).toEqual({ ...half, data: data.slice(1) })
  })

  it('of few and of many float32 keep every bit', () => {
    fc.assert(
      fc.property(fc.uint32Array({ maxLength: 40 }), (bits) => {
        const data = new Float32Array(bits.buffer, bits.byteOffset, bits.length)
        const back = returned({ dtype: 'float32', shape: [data.length], data }).data as Float32Array
        expect(new Uint32Array(back.buffer, back.byteOffset, back.length)).toEqual(bits.slice())
      }),
    )
  })
})

/** The way to the wire and back. */
function returned(array: WireArray): WireArray {
  return arrayFromWire(decodeMsgpack(encodeMsgpack(Buffer.alloc(0), arrayToWire(array)), 0))
}

describe('schemas', () => {
  const spec: RobotSpec = {
    name: 'arm',
    serial: '7',
    actionSpace: boxSpace([2], -1, 1, ['x_m', 'y_m']),
    actionKind: 'position',
    proprioSpace: symmetricSpace([1, 2], ['a_rad', 'b_rad']),
    stateSpace: boxSpace([0], 0, 0),
    imageSpaces: { top: imageSpace(4, 6) },
    controlHz: 50,
    maxEpisodeSteps: 0,
    isSimulated: false,
  }
  const schema = schemaOf(spec)

  it('say what the spec says', () => {
    expect(schema.action).toEqual({ dtype: 'float32', shape: [2], names: ['x_m', 'y_m'], low: [-1, -1], high: [1, 1] })
    expect(schema.images).toEqual({ top: { shape: [4, 6, 3], dtype: 'uint8', colour: 'rgb8', encoding: 'raw' } })
    expect(spaceOf(schema.proprio)).toEqual(spec.proprioSpace)
    expect('goal' in schema).toBe(false)
    expect(schemaOf(spec, boxSpace([1], 0, 1)).goal?.low).toEqual([0])
  })

  it('have digests that change with what a policy depends on, and with nothing else', () => {
    const same = schemaOf({
      ...spec,
      serial: '8',
      stateSpace: boxSpace([5], -1, 1),
      proprioSpace: symmetricSpace([9, 9], ['a_rad', 'b_rad']),
    })
    expect(observationDigest(same)).toBe(observationDigest(schema))
    expect(actionDigest(same)).toBe(actionDigest(schema))
    const others: Partial<RobotSpec>[] = [
      { proprioSpace: symmetricSpace([1, 2], ['b_rad', 'a_rad']) },
      { imageSpaces: { side: imageSpace(4, 6) } },
      { imageSpaces: { top: imageSpace(6, 4) } },
    ]
    for (const other of others)
      expect(observationDigest(schemaOf({ ...spec, ...other }))).not.toBe(observationDigest(schema))
    const actions: Partial<RobotSpec>[] = [
      { actionKind: 'velocity' },
      { controlHz: 20 },
      { actionSpace: boxSpace([2], -1, 2, ['x_m', 'y_m']) },
      { actionSpace: boxSpace([2], -1, 1, ['y_m', 'x_m']) },
    ]
    for (const other of actions) expect(actionDigest(schemaOf({ ...spec, ...other }))).not.toBe(actionDigest(schema))
    expect(schemaDifferences(schema, same)).toEqual([])
    expect([...others, ...actions].map((other) => schemaDifferences(schema, schemaOf({ ...spec, ...other })))).toEqual([
      ['proprio names [b_rad, a_rad] instead of [a_rad, b_rad]'],
      ['camera top none instead of 4x6x3 uint8 rgb8 raw', 'camera side 4x6x3 uint8 rgb8 raw instead of none'],
      ['camera top 6x4x3 uint8 rgb8 raw instead of 4x6x3 uint8 rgb8 raw'],
      ['action kind velocity instead of position'],
      ['control rate 20 Hz instead of 50 Hz'],
      ['action high [2, 2] instead of [1, 1]'],
      ['action names [y_m, x_m] instead of [x_m, y_m]'],
    ])
  })

  it('have digests that do not depend on the order of keys', () => {
    expect(digestOf({ b: [1, { d: 1e-7, c: Infinity }], a: 'é' })).toBe(
      digestOf({ a: 'é', b: [1, { c: Infinity, d: 1e-7 }] }),
    )
    expect(observationDigest(sampleSchema)).toBe('de7dc4af81300e18c0403bc668f8cd1071f1926e2684b30f3c1bfb9af76b145d')
  })
})
