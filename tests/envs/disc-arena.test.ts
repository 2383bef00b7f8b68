import { describe, expect, it } from 'vitest'
import { discArenaExpert } from '../../envs/experts/disc-arena.ts'
import { makeEnv } from '../../envs/index.ts'
import type { SimulatedGoalEnv } from '../../src/core/env.ts'
import { score } from './expert-score.ts'

const QUICK = { size: 1, supersample: 'off' } as const

function make(options: Readonly<Record<string, unknown>>): Promise<SimulatedGoalEnv> {
  return makeEnv('armature/DiscArena-v0', options) as Promise<SimulatedGoalEnv>
}

/** In turns, 0..1. */
function hueOf(state: Float32Array): number {
  return (Math.atan2(state[3]!, state[2]!) / (2 * Math.PI) + 1) % 1
}

describe('armature/DiscArena-v0', () => {
  it('moves the disc by 2 cm per unit and keeps it in the arena', async () => {
    const env = await make({ ...QUICK, start: 'middle' })
    const { observation } = await env.reset({ seed: 0 })
    await env.step(Float32Array.of(0.5, -1))
    expect(observation.state[0]).toBeCloseTo(0.01, 6)
    expect(observation.state[1]).toBeCloseTo(-0.02, 6)
    for (let step = 0; step < 12; step++) await env.step(Float32Array.of(1, -1))
    expect(observation.proprio[0]).toBeCloseTo(0.2, 6)
    expect(observation.proprio[1]).toBeCloseTo(-0.2, 6)
    await env.close()
  })

  it('draws a colour per episode that state, image and goal image agree on', async () => {
    const env = await make({ size: 32 })
    const seen = new Set<number>()
    for (let seed = 0; seed < 12; seed++) {
      const { observation } = await env.reset({ seed })
      const hue = hueOf(observation.state)
      seen.add(Math.floor(hue * 4))
      const goalImage = (await env.renderGoal(Float32Array.of(0.05, -0.05)))['front']!
      for (const image of [observation.images['front']!, goalImage]) {
        const away = Math.abs(vividHue(image) - hue)
        expect(Math.min(away, 1 - away)).toBeLessThan(0.03)
      }
    }
    expect(seen.size).toBe(4)
    await env.close()
  })

  it('turns the hue of the disc where hues are varied, for as long as the episode', async () => {
    const picture = async (randomize: object, steps: number): Promise<Uint8Array> => {
      const env = await make({ size: 32, start: 'middle', randomize })
      let { observation } = await env.reset({ seed: 3 })
      for (let step = 0; step < steps; step++) ({ observation } = await env.step(new Float32Array(2)))
      const image = observation.images['front']!.slice()
      await env.close()
      return image
    }
    const plain = vividHue(await picture({}, 0))
    for (const steps of [0, 2]) {
      const away = Math.abs(vividHue(await picture({ hue: 3 }, steps)) - plain)
      expect(Math.min(away, 1 - away)).toBeGreaterThan(0.03)
    }
  })

  it('keeps seen and unseen colours apart', async () => {
    for (const [hues, low, high] of [
      ['seen', 0, 0.75],
      ['unseen', 0.75, 1],
      ['blue', 0.599, 0.601],
    ] as const) {
      const env = await make({ ...QUICK, hues })
      const drawn: number[] = []
      for (let seed = 0; seed < 40; seed++) drawn.push(hueOf((await env.reset({ seed })).observation.state))
      expect(Math.min(...drawn)).toBeGreaterThanOrEqual(low)
      expect(Math.max(...drawn)).toBeLessThan(high)
      await env.close()
    }
  })

  it('draws a colour of the ground per episode if asked, which changes nothing else', async () => {
    const options = { size: 32, supersample: 'off' } as const
    const [plain, colourful] = [await make(options), await make({ ...options, ground: 'random' })]
    const grounds = new Set<number>()
    for (let seed = 0; seed < 8; seed++) {
      const [there, here] = [(await plain.reset({ seed })).observation, (await colourful.reset({ seed })).observation]
      expect(here.state).toEqual(there.state)
      const corner = (image: Uint8Array): number[] => [...image.subarray(3 * (5 * 32 + 5), 3 * (5 * 32 + 5) + 3)]
      const before = corner(here.images['front']!)
      await colourful.step(Float32Array.of(0.1, 0.1))
      expect(corner(here.images['front']!)).toEqual(before)
      expect(corner((await colourful.renderGoal(Float32Array.of(0.1, -0.1)))['front']!)).toEqual(before)
      grounds.add(before[0]! * 65536 + before[1]! * 256 + before[2]!)
    }
    expect(grounds.size).toBeGreaterThanOrEqual(6)
    await plain.close()
    await colourful.close()
  })

  it.each(['grey', 'random'])('brings the colours back with a saved state, on %s ground', async (ground) => {
    const [env, other] = [await make({ size: 24, ground }), await make({ size: 24, ground })]
    const { observation } = await env.reset({ seed: 5 })
    const there = (await other.reset({ seed: 6 })).observation
    expect(there.images['front']).not.toEqual(observation.images['front'])
    await other.restoreState(await env.saveState())
    expect(there.images['front']).toEqual(observation.images['front'])
    await env.close()
    await other.close()
  })

  it('brings grey ground back to an env whose ground is drawn', async () => {
    const [grey, drawn] = [await make({ size: 24 }), await make({ size: 24, ground: 'random' })]
    const { observation } = await grey.reset({ seed: 5 })
    const there = (await drawn.reset({ seed: 6 })).observation
    await drawn.restoreState(await grey.saveState())
    expect(there.images['front']).toEqual(observation.images['front'])
    await grey.close()
    await drawn.close()
  })

  it('pays minus the distance to the goal, and succeeds within 3 cm', async () => {
    const env = await make({ ...QUICK, start: 'middle' })
    await env.reset({ seed: 0 })
    env.setGoal(Float32Array.of(0.03, 0.06))
    const far = await env.step(Float32Array.of(0, 0))
    expect(far.reward).toBeCloseTo(-Math.hypot(0.03, 0.06), 6)
    expect(far.info['success']).toBe(0)
    expect((await env.step(Float32Array.of(1, 1))).info['success']).toBe(0)
    expect((await env.step(Float32Array.of(0.5, 1))).info['success']).toBe(1)
    await env.close()
  })
})

describe('discArenaExpert', () => {
  it('reaches goals that random steps do not', async () => {
    expect((await score(await make(QUICK), discArenaExpert)).atEnd).toBeGreaterThanOrEqual(98)
    expect((await score(await make(QUICK))).ever).toBeLessThanOrEqual(15)
  })
})

/** Hue, in turns, of the pixel with the strongest colour. */
function vividHue(image: Uint8Array): number {
  let [best, hue] = [0, 0]
  for (let i = 0; i < image.length; i += 3) {
    const [r, g, b] = [image[i]!, image[i + 1]!, image[i + 2]!]
    const chroma = Math.max(r, g, b) - Math.min(r, g, b)
    if (chroma <= best) continue
    best = chroma
    hue = (Math.atan2(Math.sqrt(3) * (g - b), 2 * r - g - b) / (2 * Math.PI) + 1) % 1
  }
  expect(best).toBeGreaterThan(100)
  return hue
}
