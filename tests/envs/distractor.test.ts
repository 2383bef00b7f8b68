import { describe, expect, it } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import type { Clip, Footage } from '../../envs/look/clips.ts'
import { colorClip, discsClip, noiseClip, textureClip, toGrey } from '../../envs/look/clips.ts'
import { Distractor, distractorOption } from '../../envs/look/distractor.ts'
import type { CameraEnv, SimulatedGoalEnv } from '../../src/core/env.ts'
import { DISTRACTOR_ID } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'

const SIZE = { width: 24, height: 16 }
const FOOTAGE: Footage = {
  width: 6,
  height: 4,
  frames: Array.from({ length: 30 }, (_, i) => new Uint8Array(72).fill(i * 8)),
}
const KINDS: readonly [string, object][] = [
  ['colour', { kind: 'colour' }],
  ['discs', { kind: 'discs' }],
  ['texture', { kind: 'texture' }],
  ['noise', { kind: 'noise' }],
  ['frames', { kind: 'frames', frames: FOOTAGE }],
]

async function makePushPuck(distractor: unknown, options: object = {}): Promise<SimulatedGoalEnv & CameraEnv> {
  const small = { size: SIZE, supersample: 'off' }
  return (await makeEnv('armature/PushPuck-v0', { ...small, distractor, ...options })) as SimulatedGoalEnv & CameraEnv
}

function painted(clip: Clip, frame: number, size = SIZE): Uint8Array {
  const pixels = size.width * size.height
  const canvas = { ...size, rgb: new Uint8Array(pixels * 3), shade: new Float32Array(pixels) }
  clip.paint(frame, canvas)
  return canvas.rgb
}

function distractorOf(value: unknown): Distractor {
  return new Distractor(distractorOption(value, 'distractor'), true)
}

/** Every background that `count` episodes of 3 steps show, as text. */
function backgrounds(distractor: Distractor, rng: Rng, count: number): Set<string> {
  const seen = new Set<string>()
  for (let episode = 0; episode < count; episode++) {
    distractor.begin(rng)
    for (let step = 0; step < 3; step++) {
      seen.add(String(distractor.now(SIZE).rgb))
      seen.add(String(distractor.forGoal(Float32Array.of(episode, step), SIZE).rgb))
      distractor.advance()
    }
  }
  return seen
}

describe('clips', () => {
  it('noise is Gaussian, each pixel of each frame on its own, and repeats with its seed', () => {
    const clip = noiseClip(new Rng(1), 60)
    const frames = [5, 6].map((frame) => [...painted(clip, frame)])
    expect(frames[0]).toEqual([...painted(noiseClip(new Rng(1), 60), 5)])
    const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length
    const [a, b] = frames as [number[], number[]]
    const [meanA, meanB] = [mean(a), mean(b)]
    const std = Math.sqrt(mean(a.map((x) => (x - meanA) ** 2)))
    const between = (other: readonly number[], otherMean: number): number =>
      Math.abs(mean(a.map((x, i) => (x - meanA) * (other[i]! - otherMean)))) / std ** 2
    expect(meanA).toBeGreaterThan(122)
    expect(meanA).toBeLessThan(134)
    // 64, less what is cut off at both ends.
    expect(std).toBeGreaterThan(56)
    expect(std).toBeLessThan(66)
    // Neither the next frame, nor the next pixel, nor the next channel tells anything.
    expect(between(b, meanB)).toBeLessThan(0.1)
    for (const shift of [1, 3]) expect(between([...a.slice(shift), ...a.slice(0, shift)], meanA)).toBeLessThan(0.1)
  })

  const makers = { colorClip, discsClip, textureClip }

  it.each(Object.entries(makers))('%s moves, a little per frame, and repeats with its seed', (_, make) => {
    const [clip, same, other] = [make(new Rng(1), 60), make(new Rng(1), 60), make(new Rng(2), 60)]
    let largest = 0
    for (let frame = 0; frame + 1 < 60; frame++) {
      const [now, next] = [painted(clip, frame), painted(clip, frame + 1)]
      const change = now.reduce((sum, x, i) => sum + Math.abs(x - next[i]!), 0) / now.length
      expect(change).toBeGreaterThan(0)
      largest = Math.max(largest, change)
    }
    expect(largest).toBeLessThan(30)
    expect(painted(same, 31)).toEqual(painted(clip, 31))
    expect(painted(other, 31)).not.toEqual(painted(clip, 31))
    expect(painted(clip, 59, { width: 3, height: 50 })).toHaveLength(450)
  })

  it('lets discs bounce: they stay whole in the square and never lie on each other for long', () => {
    // In black and white: the share of pixels that discs cover stays what it is when none leaves or hides another.
    const clip = discsClip(new Rng(5), 300)
    const size = { width: 80, height: 80 }
    const covered = Array.from({ length: 300 }, (_, frame) => {
      const rgb = painted(clip, frame, size)
      let count = 0
      for (let i = 0; i < rgb.length; i += 3) if (Math.max(rgb[i]!, rgb[i + 1]!, rgb[i + 2]!) > 90) count++
      return count
    })
    expect(Math.min(...covered) / Math.max(...covered)).toBeGreaterThan(0.9)
  })

  it('turns to grey by luma', () => {
    const rgb = Uint8Array.of(255, 0, 0, 0, 255, 0, 10, 10, 10)
    toGrey(rgb)
    expect([...rgb]).toEqual([76, 76, 76, 149, 149, 149, 10, 10, 10])
  })
})

describe('a distractor', () => {
  it.each(KINDS)('never shows in training what it tests with: %s', (_, fields) => {
    const [train, test] = (['train', 'test'] as const).map((split) =>
      backgrounds(distractorOf({ clipFrames: 10, ...fields, split }), new Rng(1), 60),
    ) as [Set<string>, Set<string>]
    expect(train.size).toBeGreaterThanOrEqual(16)
    expect(test.size).toBeGreaterThanOrEqual(8)
    expect([...train].filter((picture) => test.has(picture))).toEqual([])
  })

  it('tests with the same clips however many there are to train with', () => {
    const [few, many] = [2, 20].map((trainClips) => {
      const distractor = distractorOf({ kind: 'texture', split: 'test', testClips: 1, trainClips, clipFrames: 5 })
      return backgrounds(distractor, new Rng(1), 20)
    })
    expect(few!.size).toBe(5)
    expect(few).toEqual(many)
  })

  it('starts anywhere in any clip and plays forth and back, one frame per step', () => {
    const distractor = distractorOf({ kind: 'colour', clipFrames: 5 })
    const rng = new Rng(3)
    const starts = new Set<string>()
    for (let episode = 0; episode < 300; episode++) {
      distractor.begin(rng)
      starts.add(JSON.stringify(distractor.info))
    }
    expect(starts.size).toBe(8 * 5)
    const steps = Array.from({ length: 20 }, () => {
      distractor.advance()
      return distractor.info['distractor_step']!
    })
    for (const [i, step] of steps.entries()) if (i > 0) expect(Math.abs(step - steps[i - 1]!)).toBe(1)
    expect([Math.min(...steps), Math.max(...steps)]).toEqual([0, 4])
  })

  it.each([1, 8])('shows goals before another background than the observation (%i clips)', (trainClips) => {
    const distractor = distractorOf({ kind: 'texture', trainClips, clipFrames: 3 })
    const rng = new Rng(4)
    for (let episode = 0; episode < 100; episode++) {
      distractor.begin(rng)
      const now = distractor.now(SIZE).rgb.slice()
      const goal = distractor.forGoal(Float32Array.of(episode), SIZE).rgb.slice()
      expect(Buffer.compare(goal, now)).not.toBe(0)
      expect(distractor.forGoal(Float32Array.of(episode), SIZE).rgb).toEqual(goal)
    }
  })

  it('shares out recorded frames, cut and scaled to the image', () => {
    const [train, test] = (['train', 'test'] as const).map((split) => {
      const distractor = distractorOf({ kind: 'frames', split, frames: FOOTAGE })
      return [...backgrounds(distractor, new Rng(1), 200)].map((text) => Number(text.split(',')[0]) / 8)
    }) as [number[], number[]]
    // 30 frames for 12 clips: two each, and six that are left over.
    expect(train.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => i))
    expect(test.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 8 }, (_, i) => 16 + i))
    const ramp = Uint8Array.from({ length: 8 * 2 * 3 }, (_, i) => (Math.floor(i / 3) % 8) * 10)
    const still = distractorOf({ kind: 'frames', frames: { width: 8, height: 2, frames: [ramp, ramp, ramp] } })
    still.begin(new Rng(0))
    // The middle 2 x 2 of 8 x 2 for a square of 1, and 4 x 2 halved for 2 x 1.
    expect([...still.now({ width: 1, height: 1 }).rgb]).toEqual([35, 35, 35])
    expect([...still.now({ width: 2, height: 1 }).rgb]).toEqual([25, 25, 25, 45, 45, 45])
  })

  it('refuses what it cannot show', () => {
    expect(() => distractorOf('video')).toThrow(/none or colour or discs or texture or noise or frames/)
    expect(() => distractorOf({ kind: 'discs', clips: 3 })).toThrow(/no option "clips"/)
    expect(() => distractorOf({ split: 'test' })).toThrow(/kind/)
    expect(() => distractorOf('frames')).toThrow(/a folder of PNG pictures or a GIF/)
    expect(() => distractorOf({ kind: 'discs', frames: FOOTAGE })).toThrow(/with no other/)
    const short = { ...FOOTAGE, frames: [new Uint8Array(5)] }
    expect(() => distractorOf({ kind: 'frames', frames: short })).toThrow(/6 x 4 RGB/)
    const single = { ...FOOTAGE, frames: FOOTAGE.frames.slice(0, 1) }
    expect(() => distractorOf({ kind: 'frames', frames: single })).toThrow(/at least two/)
    expect(() => new Distractor({ kind: 'discs', onto: 'ground' }, false)).toThrow(/without a ground/)
  })
})

describe('a scene before a distractor', () => {
  it('keeps its objects and shadows as they are and moves all the rest', async () => {
    const [plain, env] = [await makePushPuck('none', { size: 48 }), await makePushPuck('colour', { size: 48 })]
    await plain.reset({ seed: 5 })
    const image = (await env.reset({ seed: 5 })).observation.images['front']!
    const before = image.slice()
    const expected = await plain.render()
    const [ids, plainIds] = [await env.renderIds(), await plain.renderIds()]
    const table = plain.idNames.indexOf('table')
    const backgrounds = new Map<string, number>()
    let objects = 0
    for (const [i, id] of plainIds.entries()) {
      const pixel = String(image.subarray(i * 3, i * 3 + 3))
      expect(ids[i]).toBe(id === table || id === 0 ? DISTRACTOR_ID : id)
      if (ids[i] === DISTRACTOR_ID) {
        backgrounds.set(pixel, (backgrounds.get(pixel) ?? 0) + 1)
      } else {
        objects++
        expect(pixel).toBe(String(expected.subarray(i * 3, i * 3 + 3)))
      }
    }
    expect(objects).toBeGreaterThan(200)
    // The colour, and a third less of it in the shadow.
    const [[lit, litCount], [shaded, shadedCount]] = [...backgrounds].toSorted((a, b) => b[1] - a[1]) as [
      [string, number],
      [string, number],
    ]
    expect(backgrounds.size).toBe(2)
    expect(litCount).toBeGreaterThan(10 * shadedCount)
    const [light, dark] = [lit, shaded].map((text) => text.split(',').map(Number)) as [number[], number[]]
    for (const c of [0, 1, 2]) expect(dark[c]).toBe(Math.floor(0.65 * light[c]!))
    expect(await env.renderDepth()).toEqual(await plain.renderDepth())
    for (let i = 0; i < 10; i++) await env.step(new Float32Array(2))
    expect(Buffer.compare(image, before)).not.toBe(0)
    await env.close()
    await plain.close()
  })

  it('changes nothing but what observation cameras see', async () => {
    const [plain, env] = [await makePushPuck('none'), await makePushPuck('texture')]
    for (let episode = 0; episode < 3; episode++) {
      const seed = episode === 0 ? { seed: 5 } : {}
      const [a, b] = [await plain.reset(seed), await env.reset(seed)]
      expect(b.observation.state).toEqual(a.observation.state)
      expect(env.goal).toEqual(plain.goal)
      const action = Float32Array.of(0.5, 1)
      for (let i = 0; i < 5; i++) {
        const [x, y] = [await plain.step(action), await env.step(action)]
        expect(y.reward).toBe(x.reward)
        const { distractor_clip: clip, distractor_step: step, ...rest } = y.info
        expect(rest).toEqual(x.info)
        expect(clip).toBeLessThan(8)
        expect(step).toBeLessThan(400)
      }
      expect(await env.render('human', SIZE)).toEqual(await plain.render('human', SIZE))
    }
    await env.close()
    await plain.close()
  })

  it('keeps the ground when only the background gives way', async () => {
    const camera = { front: { eyeM: [0, -0.9, 0.55], up: [0, 0, 1], fovYDeg: 60 } }
    const env = await makePushPuck({ kind: 'colour', onto: 'background' }, { camera })
    await env.reset({ seed: 1 })
    const ids = await env.renderIds()
    expect(ids).toContain(DISTRACTOR_ID)
    expect(ids).toContain(env.idNames.indexOf('table'))
    await env.close()
  })

  it('refuses a state that was saved before another distractor', async () => {
    const [plain, discs, texture] = [
      await makePushPuck('none'),
      await makePushPuck('discs'),
      await makePushPuck('texture'),
    ]
    for (const env of [plain, discs, texture]) await env.reset({ seed: 1 })
    await expect(texture.restoreState(await discs.saveState())).rejects.toThrow(
      /same randomisation, distractor, noise and past actions/,
    )
    await expect(texture.restoreState(await plain.saveState())).rejects.toThrow(/other options/)
    await expect(plain.restoreState(await discs.saveState())).rejects.toThrow(/other options/)
    for (const env of [plain, discs, texture]) await env.close()
  })
})
