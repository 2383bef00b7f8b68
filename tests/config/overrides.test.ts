import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { applyOverrides, parseConfig } from '../../src/config/overrides.ts'
import { presets } from '../../src/config/presets.ts'
import { trainConfigSchema } from '../../src/config/train-config.ts'
import { ArmatureError } from '../../src/core/errors.ts'

function failure(action: () => unknown): ArmatureError {
  try {
    action()
  } catch (error) {
    if (error instanceof ArmatureError) return error
    throw error
  }
  throw new Error('it did not fail')
}

describe('applyOverrides', () => {
  test('sets values at any depth, as JSON where they are JSON, and leaves its input alone', () => {
    const config = { agent: { name: 'sac', config: { tau: 0.1 } } }
    const changed = applyOverrides(config, [
      'agent.config.hidden=[8,8]',
      'agent.config.tau=1e-3',
      'agent.name=random',
      'goals.relabel.kept=1',
      'note=a=b',
      'flag=true',
    ])
    expect(changed).toEqual({
      agent: { name: 'random', config: { tau: 0.001, hidden: [8, 8] } },
      goals: { relabel: { kept: 1 } },
      note: 'a=b',
      flag: true,
    })
    expect(config).toEqual({ agent: { name: 'sac', config: { tau: 0.1 } } })
  })

  test('the last of several assignments to a key counts, and one to an object replaces it', () => {
    expect(applyOverrides({}, ['a=1', 'a=2'])).toEqual({ a: 2 })
    expect(applyOverrides({ a: { b: 1, c: 2 } }, ['a={"b":3}'])).toEqual({ a: { b: 3 } })
  })

  test.each(['a', '=1', 'a..b=1', '.a=1', 'a.=1', '__proto__.polluted=1', 'a.__proto__.polluted=1', ''])(
    'refuses "%s"',
    (assignment) => {
      const error = failure(() => applyOverrides({}, [assignment]))
      expect(error.code).toBe('bad-argument')
      expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    },
  )

  test('keys that every object inherits are like any other unknown key', () => {
    const input = applyOverrides({ preset: 'x' }, ['constructor.name=1'])
    expect(failure(() => parseConfig(z.strictObject({ preset: z.string() }), input, 'config')).message).toContain(
      'unknown key constructor',
    )
  })
})

describe('parseConfig', () => {
  const base = {
    preset: 'none',
    env: { id: 'armature/PushPuck-v0' },
    representation: { kind: 'encoder', encoder: 'beta-vae' },
    goals: {},
    agent: { name: 'sac' },
    training: { steps: 100 },
  }
  const messageFor = (...assignments: string[]): string => {
    const error = failure(() => parseConfig(trainConfigSchema, applyOverrides(base, assignments), 'config'))
    expect(error.code).toBe('bad-config')
    return error.message
  }

  test('fills in defaults at every level', () => {
    const config = parseConfig(trainConfigSchema, base, 'config')
    expect(config.seed).toBe(0)
    expect(config.replay.gamma).toBe(0.99)
    expect(config.representation).toMatchObject({ pretrain: { validationFraction: 0.1 }, refresh: { everySteps: 0 } })
  })

  test.each([
    ['sed=1', 'config: unknown key sed; did you mean seed?'],
    ['replay.gama=0.9', 'config: unknown key replay.gama; did you mean replay.gamma?'],
    ['goals.rewards.name=2', 'config: unknown key goals.rewards; did you mean goals.reward?'],
    [
      'representation.pretrain.frams=9',
      'config: unknown key representation.pretrain.frams; did you mean representation.pretrain.frames?',
    ],
    [
      'goals.relabel.futur=1',
      'config: unknown key goals.relabel.futur; did you mean goals.relabel.future or goals.relabel.futureSteps?',
    ],
    [
      'goals.relabel.posthoc=0.2',
      'config: goals.relabel: expected shares that add up to 1, got {"kept":0.2,"source":0.5,"future":0.3,"posthoc":0.2}',
    ],
    ['env.zzz=1', 'config: unknown key env.zzz; there is env.id, env.options, env.evalOptions, env.robot'],
    [
      'representation.kind=state',
      'config: unknown key representation.encoder; there is representation.kind, representation.scalePerM',
    ],
    ['replay.gamma=1', 'config: replay.gamma: expected number to be <1, got 1'],
    ['training.steps=0', 'config: training.steps: expected number to be >=1, got 0'],
    ['training.steps=1.5', 'config: training.steps: expected int, got 1.5'],
    ['training.steps=many', 'config: training.steps: expected number, got "many"'],
    ['training.steps=null', 'config: training.steps: expected number, got null'],
    ['agent=3', 'config: agent: expected object, got 3'],
    ['goals.reward=pixel', 'config: goals.reward: expected object, got "pixel"'],
    [
      'goals.relabel.kept=0.5',
      'config: goals.relabel: expected shares that add up to 1, got {"kept":0.5,"source":0.5,"future":0.3}',
    ],
  ])('%s', (assignment, message) => {
    expect(messageFor(assignment)).toBe(message)
  })

  test('an unknown discriminator is named with the value it got, not with the whole object', () => {
    expect(messageFor('representation.kind=stat')).toMatch(/representation\.kind: expected .*'state'.*, got "stat"$/)
  })

  test('the held-out frames must be enough to split by episode', () => {
    expect(messageFor('representation.pretrain.frames=100')).toContain('representation.pretrain: expected held-out')
  })

  test('alternatives are all named', () => {
    const schema = z.strictObject({ beta: z.union([z.number().gt(0), z.literal('auto')]) })
    expect(failure(() => parseConfig(schema, { beta: 'x' }, 'config', 'representation.config')).message).toBe(
      'config: representation.config.beta: expected number or "auto", got "x"',
    )
  })

  test('a key that is missing is said to be', () => {
    const { env: _, ...without } = base
    expect(failure(() => parseConfig(trainConfigSchema, without, 'config of a')).message).toBe(
      'config of a: env: expected object, got nothing',
    )
  })
})

test('every preset is a whole configuration under a name of its own', () => {
  expect(new Set(presets.map(({ name }) => name)).size).toBe(presets.length)
  for (const { name, config } of presets) {
    expect(parseConfig(trainConfigSchema, { ...config, preset: name }, name).preset).toBe(name)
  }
})
