import { describe, expect, it } from 'vitest'
import { envList, makeEnv } from '../../envs/index.ts'
import { imageSize, integer, oneOf, readOptions } from '../../envs/options.ts'

describe('makeEnv', () => {
  it('lists what it can make', () => {
    expect(envList().map(({ id }) => id)).toEqual([
      'armature/PushPuck-v0',
      'armature/Pendulum-v1',
      'armature/CartPole-v0',
      'armature/DiscArena-v0',
      'armature/Reacher-v0',
      'armature/RingWorld-v0',
      'armature/FingerSpin-v0',
    ])
    for (const { summary } of envList()) expect(summary.length).toBeGreaterThan(10)
  })

  it('suggests the nearest id', async () => {
    await expect(makeEnv('armature/PushPuk-v0')).rejects.toThrow(/did you mean armature\/PushPuck-v0\?/)
    await expect(makeEnv('armature/PushPuk-v0')).rejects.toMatchObject({ code: 'not-found' })
  })

  it('refuses options that it does not know or that are wrong', async () => {
    const attempt = (options: Record<string, unknown>): Promise<unknown> => makeEnv('armature/PushPuck-v0', options)
    await expect(attempt({ sise: 48 })).rejects.toThrow(/no option "sise"; did you mean size\?/)
    await expect(attempt({ size: 0 })).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(attempt({ size: { width: 48 } })).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(attempt({ start: 'anywhere' })).rejects.toThrow(/default or goal or random, got "anywhere"/)
    await expect(attempt({ physics: 'bullet' })).rejects.toThrow(/auto or simd or scalar/)
    await expect(attempt({ maxEpisodeSteps: 1.5 })).rejects.toThrow(/integer from 1/)
    await expect(makeEnv('armature/Pendulum-v1', { size: 48 })).rejects.toThrow(
      /no option "size"; there is maxEpisodeSteps/,
    )
  })

  it('applies the options that it takes', async () => {
    const env = await makeEnv('armature/PushPuck-v0', { size: { width: 20, height: 10 }, maxEpisodeSteps: 2 })
    expect(env.spec.imageSpaces['front']!.shape).toEqual([10, 20, 3])
    const { observation } = await env.reset({ seed: 0 })
    expect(observation.images['front']!.length).toBe(600)
    const action = new Float32Array(2)
    expect((await env.step(action)).truncated).toBe(false)
    expect((await env.step(action)).truncated).toBe(true)
    await env.close()
  })

  it('refuses a seed that is not an integer', async () => {
    const env = await makeEnv('armature/Pendulum-v1')
    await expect(env.reset({ seed: 0.5 })).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(env.reset({ seed: Number.NaN })).rejects.toMatchObject({ code: 'bad-argument' })
    await env.close()
  })
})

describe('readOptions', () => {
  const readers = { side: integer(1, 9), mode: oneOf('a', 'b'), size: imageSize }

  it('keeps what is given and leaves the rest absent', () => {
    expect(readOptions('x', readers, { side: 3, mode: undefined })).toEqual({ side: 3 })
    expect(readOptions('x', readers, { size: 5 })).toEqual({ size: { width: 5, height: 5 } })
    expect(readOptions('x', readers)).toEqual({})
  })

  it('does not take inherited names for options', () => {
    expect(() => readOptions('x', readers, { toString: 1 })).toThrow(/no option "toString"/)
  })
})
