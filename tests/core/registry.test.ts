import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { agents, registerAgent } from '../../agents/index.ts'
import { RandomAgent } from '../../agents/random/random.ts'
import type { EncoderEntry } from '../../encoders/index.ts'
import { encoders, registerEncoder } from '../../encoders/index.ts'
import type { OwnEnv } from '../../envs/index.ts'
import { envs, makeEnv, registerEnv } from '../../envs/index.ts'
import { makeAgent } from '../../src/compose/make.ts'
import { Rng } from '../../src/core/rng.ts'

const own: OwnEnv = { summary: 'the pendulum again', make: (options) => makeEnv('armature/Pendulum-v1', options) }

describe('entries of your own', () => {
  it('are found like the others', async () => {
    registerEnv('mine/Pendulum-v3', own)
    const env = await makeEnv('mine/Pendulum-v3', { maxEpisodeSteps: 7 })
    expect(env.spec.maxEpisodeSteps).toBe(7)
    await env.close()
    registerAgent('my-agent', {
      summary: 'random again',
      configSchema: z.strictObject({ level: z.number().default(1) }),
      create: (spec, _config, rng) => new RandomAgent(spec, rng),
    })
    const spec = { observationSize: 1, actionSize: 2 }
    expect(makeAgent('my-agent', spec, new Rng(0), { level: 2 }).spec.actionSize).toBe(2)
    expect(() => makeAgent('my-agent', spec, new Rng(0), { levle: 2 })).toThrow(/levle.*level/)
    registerEncoder('my-encoder', encoders['pixels']!)
    expect(Object.keys(envs)).toContain('mine/Pendulum-v3')
    expect(Object.keys(agents)).toContain('my-agent')
    expect(Object.keys(encoders)).toContain('my-encoder')
  })

  it.each([
    ['an id that is taken', () => registerEnv('armature/Pendulum-v1', own), /a name that is taken; choose another/],
    ['an id of another form', () => registerEnv('Pendulum', own), /env "Pendulum": expected namespace\/Name-vN/],
    ['a name of another form', () => registerEncoder('__proto__', encoders['pca']!), /expected a name in lower case/],
    [
      'an entry without its function',
      () => registerEnv('mine/A-v0', { summary: 'a' } as unknown as OwnEnv),
      /env "mine\/A-v0": expected make to be of type function, got undefined/,
    ],
    [
      'an entry without a schema',
      () => registerEncoder('b', { summary: 'b', create: () => undefined } as unknown as EncoderEntry),
      /expected configSchema to be of type object/,
    ],
  ])('refuses %s', (_what, attempt, message) => {
    expect(attempt).toThrow(message)
  })

  it('must make an env', async () => {
    registerEnv('mine/Nothing-v0', {
      summary: 'forgets to return',
      make: (() => undefined) as unknown as OwnEnv['make'],
    })
    await expect(makeEnv('mine/Nothing-v0')).rejects.toThrow(/expected its make to return an env, got undefined/)
  })
})
