import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { envRobot } from '../../../bridges/adapters/env-robot.ts'
import { mockRobot } from '../../../bridges/adapters/mock-robot.ts'
import { LimitEngine } from '../../../bridges/safety/limit-engine.ts'
import { loadLimits, unlimited } from '../../../bridges/safety/limits.ts'
import { makeEnv } from '../../../envs/index.ts'
import { boxSpace } from '../../../src/core/spaces.ts'

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../bridges/limits/${name}.json`, import.meta.url), 'utf8'))

const file = (element: object = {}, rest: object = {}): unknown => ({
  name: 'test',
  actionKind: 'position',
  elements: [{ name: 'joint1_rad', min: -1, max: 1, ...element }],
  ...rest,
})

describe('a limits file', () => {
  it('of a Panda fits its joints and gripper', () => {
    const limits = loadLimits(read('panda'), 'panda.json')
    const low = limits.elements.map(({ min }) => min)
    const high = limits.elements.map(({ max }) => max)
    const names = limits.elements.map(({ name }) => name)
    const robot = mockRobot({ clock: () => 0, jointSpace: { dtype: 'float32', shape: [8], low, high, names } })
    expect(loadLimits(read('panda'), 'panda.json', robot.spec)).toEqual(limits)
    const engine = new LimitEngine(limits, 'position', 0.02)
    engine.reset(Float32Array.of(0, -0.3, 0, -2.2, 0, 2, 0.8, 0.04))
    expect(engine.brakingTimeS).toBeLessThan(0.5)
  })

  it('of the puck scene fits it, and is stricter than its box', async () => {
    const robot = envRobot(await makeEnv('armature/PushPuck-v0'))
    const limits = loadLimits(read('push-puck'), 'push-puck.json', robot.spec)
    const engine = new LimitEngine(limits, 'velocity', 1 / robot.spec.controlHz)
    expect([...engine.limit(Float32Array.of(1, 0.5)).action]).toEqual([1, 0.5])
    expect([...engine.limit(Float32Array.of(-1, -0.5)).action]).toEqual([0, 0])
    await robot.close()
  })

  it.each<[string, unknown, string]>([
    ['text', 'x', 'limits: the file: expected object'],
    ['a misspelt key', file({ maxVelocty: 1 }), 'limits: unknown key elements.0.maxVelocty; did you mean maxVelocity?'],
    ['a misspelt key of the file', file({}, { modes: 'vector' }), 'limits: unknown key modes; did you mean mode?'],
    ['an unknown key', file({ colour: 1 }), 'unknown key elements.0.colour; there is name, min, max'],
    ['a limit of 0', file({ maxVelocity: 0 }), 'limits: elements.0.maxVelocity: expected number to be >0'],
    ['text for a number', file({ min: '1' }), 'limits: elements.0.min: expected number'],
    ['no element', file({}, { elements: [] }), 'limits: elements: expected array to have >=1 items'],
    [
      'an empty range',
      file({ softMargin: 1 }),
      'elements.0.max (joint1_rad): expected more than min and two margins, got 1',
    ],
    ['jerk alone', file({ maxJerk: 1 }), 'elements.0.maxJerk (joint1_rad): expected maxAcceleration beside it'],
    ['acceleration alone', file({ maxAcceleration: 1 }), 'expected maxVelocity beside it'],
    ['force of a joint', file({ maxForceN: 1 }), 'expected a gripper'],
    [
      'a pose of a velocity',
      file({ maxLead: 1 }, { actionKind: 'velocity' }),
      'elements.0.maxLead (joint1_rad): expected position actions',
    ],
    [
      'a velocity without rest',
      file({ min: 0.5 }, { actionKind: 'velocity' }),
      'expected rest, a velocity of 0, to be allowed',
    ],
    [
      'a name twice',
      file({}, { elements: [0, 1].map(() => ({ name: 'a', min: 0, max: 1 })) }),
      'elements.1.name (a): expected names that differ',
    ],
  ])('with %s is refused in one line', (_, json, message) => {
    expect(() => loadLimits(json)).toThrow(message)
  })

  it.each<[string, unknown, string]>([
    ['another kind', file({}, { actionKind: 'velocity' }), 'actionKind: expected position, that of mock, got velocity'],
    ['too few elements', file(), 'elements: expected the 2 actions of mock, got 1'],
    [
      'another order',
      file({}, { elements: ['joint2_rad', 'joint1_rad'].map((name) => ({ name, min: -1, max: 1 })) }),
      'elements.0.name: expected joint1_rad, action 0 of mock, got joint2_rad',
    ],
    [
      'more than it can do',
      file({}, { elements: [1, 2].map((i) => ({ name: `joint${i}_rad`, min: -1, max: i })) }),
      'elements.1.max: expected at most 1, the upper end of mock, got 2',
    ],
  ])('that a robot does not fit (%s) is refused', (_, json, message) => {
    expect(() => loadLimits(json, 'limits', mockRobot({ clock: () => 0 }).spec)).toThrow(message)
  })

  it('fills in its defaults', () => {
    expect(loadLimits(file())).toEqual({
      name: 'test',
      actionKind: 'position',
      mode: 'vector',
      elements: [{ name: 'joint1_rad', min: -1, max: 1, softMargin: 0, isGripper: false }],
    })
  })
})

describe('a profile without limits', () => {
  it('has the names and the range of its space', () => {
    const { elements } = unlimited(boxSpace([1], -1, 1, ['a']), 'position')
    expect(elements).toEqual([{ name: 'a', min: -1, max: 1, softMargin: 0, isGripper: false }])
  })
})
