import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.ts'
import type { CollapseFigures } from '../../src/evaluate/collapse-monitor.ts'
import { CollapseMonitor } from '../../src/evaluate/collapse-monitor.ts'
import { neighbourError } from '../../src/evaluate/health.ts'

const START: CollapseFigures = { spread: 0.4, effectiveRank: 12, neighbourError: 0.6 }
const HEALTHY: CollapseFigures = { spread: 0.5, effectiveRank: 5, neighbourError: 0.1 }

/** What a monitor of 1000 updates says at checks 100 apart. */
function said(...checks: CollapseFigures[]): (string | undefined)[] {
  const monitor = new CollapseMonitor(1000, 16)
  monitor.begin(START)
  return checks.map((figures, i) => monitor.check(100 * (i + 1), figures))
}

/** What it says of an encoder that is like this from the start. */
function saidOf(figures: CollapseFigures): string | undefined {
  return said(...Array.from({ length: 10 }, () => figures)).at(-1)
}

describe('a collapse', () => {
  it('to a point is said in words, with what to try, after three checks that agree', () => {
    const point = { ...HEALTHY, spread: 0.004 }
    const words = said(HEALTHY, HEALTHY, point, point, point, point)
    expect(words.slice(0, 4)).toEqual([undefined, undefined, undefined, undefined])
    expect(words[4]).toMatch(/^collapsed since update 300: held-out frames have nearly the same latent .*0\.4 %.*40 %/)
    expect(words[4]).toMatch(/; try a smaller learning rate/)
    expect(words[5]).toBe(words[4])
  })

  it('is not said where it passes, nor in the first fifth, in which latents may draw together', () => {
    const point = { ...HEALTHY, spread: 0.004 }
    expect(said(point, point, point, HEALTHY, point, point, HEALTHY).every((text) => text === undefined)).toBe(true)
    const monitor = new CollapseMonitor(1000, 16)
    monitor.begin(START)
    for (let update = 10; update < 200; update += 10) expect(monitor.check(update, point)).toBeUndefined()
  })

  it('to one point, to the prior, or to numbers that are none, needs no beginning to be held against', () => {
    const monitor = new CollapseMonitor(0, 16)
    for (const [figures, text] of [
      [{ spread: 0, effectiveRank: 0 }, 'all held-out frames have the same latent'],
      [{ ...HEALTHY, activeDimensions: 0 }, 'no latent dimension tells one frame from another'],
      [{ spread: NaN, effectiveRank: NaN }, 'latents are not finite'],
    ] as const) {
      for (let i = 0; i < 2; i++) monitor.check(i, figures)
      expect(monitor.check(3, figures)).toContain(text)
    }
    expect(saidOf({ ...HEALTHY, activeDimensions: 1 })).toBeUndefined()
  })

  it('to a line is one only where neighbours on it are as far apart in truth as before learning', () => {
    expect(saidOf({ spread: 0.5, effectiveRank: 1.05, neighbourError: 0.7 })).toMatch(/lie on a line .*1\.05 of 16/)
    // What moves along a line, or a ring, and is told apart there.
    expect(saidOf({ spread: 0.5, effectiveRank: 1.05, neighbourError: 0.02 })).toBeUndefined()
    expect(saidOf({ spread: 0.5, effectiveRank: 1.05, neighbourError: 0.52 })).toBeUndefined()
    // Without states there is no telling.
    expect(saidOf({ spread: 0.5, effectiveRank: 1.05 })).toBeUndefined()
    const narrow = new CollapseMonitor(0, 1)
    for (let i = 0; i < 5; i++) {
      expect(narrow.check(i, { spread: 0.5, effectiveRank: 1, neighbourError: 0.9 })).toBeUndefined()
    }
  })

  it('is seen alike by a monitor that goes on from the state of another', () => {
    const point = { ...HEALTHY, spread: 0.004 }
    const first = new CollapseMonitor(1000, 16)
    first.begin(START)
    for (const update of [300, 400]) first.check(update, point)
    const state = JSON.parse(JSON.stringify(first.state)) as typeof first.state
    expect(new CollapseMonitor(1000, 16, state).check(500, point)).toBe(first.check(500, point))
    expect(first.check(600, point)).toContain('since update 300')
  })

  it('leaves a small spread alone where there was no more of it before', () => {
    const monitor = new CollapseMonitor(0, 16)
    monitor.begin({ spread: 0.01, effectiveRank: 3, neighbourError: 0.3 })
    for (let i = 0; i < 5; i++) expect(monitor.check(i, { ...HEALTHY, spread: 0.008 })).toBeUndefined()
  })
})

describe('the error of neighbours', () => {
  const rng = new Rng(2)
  const [count, size] = [200, 3]
  const states = { data: rng.fillNormal(new Float32Array(count * size)), count, size }
  const episodes = Array.from({ length: count }, (_, row) => Math.floor(row / 20))

  it('is 0 for the states themselves, whatever their units, and about 1 for noise', () => {
    expect(neighbourError(states, states, episodes)).toBeLessThan(0.01)
    const inOtherUnits = { ...states, data: states.data.map((x, at) => x * [1, 1000, 1e-4][at % 3]! + 5) }
    const even = { ...states, data: states.data.map((x) => 7 * x) }
    expect(neighbourError(even, inOtherUnits, episodes)).toBeLessThan(0.02)
    const noise = { ...states, data: rng.fillNormal(new Float32Array(count * size)) }
    expect(Math.abs(neighbourError(noise, states, episodes) - 1)).toBeLessThan(0.1)
  })

  it('does not look within the same episode, and is unknown where there is no other or nothing differs', () => {
    const named = { data: Float64Array.from(episodes), count, size: 1 }
    expect(neighbourError(named, states, episodes)).toBeGreaterThan(0.8)
    expect(neighbourError(states, states, new Int32Array(count))).toBeNaN()
    expect(neighbourError(states, { ...states, data: new Float64Array(count * size).fill(3) }, episodes)).toBeNaN()
  })
})
