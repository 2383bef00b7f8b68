import { describe, expect, it } from 'vitest'
import type { MockRobot, MockRobotOptions } from '../../../bridges/adapters/mock-robot.ts'
import { mockRobot } from '../../../bridges/adapters/mock-robot.ts'
import { whyOutside } from '../../../src/core/spaces.ts'

function atTime(options: Partial<MockRobotOptions> = {}): { robot: MockRobot; to: (ms: number) => void } {
  let nowUs = 1000
  const robot = mockRobot({ clock: () => nowUs, ...options })
  return { robot, to: (ms) => (nowUs = 1000 + ms * 1000) }
}

const joint = async (robot: MockRobot): Promise<number> => (await robot.read()).observation.proprio[0]!

describe('a mock robot', () => {
  it('follows its commands with dead time and lag', async () => {
    const { robot, to } = atTime({ lagMs: 40, deadTimeMs: 25 })
    await robot.apply(Float32Array.of(0.5, -0.5))
    to(25)
    expect(await joint(robot)).toBe(0)
    to(65)
    expect(await joint(robot)).toBeCloseTo(0.5 * (1 - Math.exp(-1)), 6)
    await robot.apply(Float32Array.of(-0.5, 0))
    to(90)
    expect(await joint(robot)).toBeCloseTo(0.5 * (1 - Math.exp(-65 / 40)), 6)
    to(1000)
    expect(await joint(robot)).toBeCloseTo(-0.5, 6)
  })

  it('is where it was however often it is read', async () => {
    const [a, b] = [atTime({ deadTimeMs: 10 }), atTime({ deadTimeMs: 10 })]
    for (const { robot } of [a, b]) await robot.apply(Float32Array.of(1, 1))
    for (let ms = 0; ms <= 50; ms++) {
      a.to(ms)
      await a.robot.read()
    }
    b.to(50)
    expect(await joint(a.robot)).toBeCloseTo(await joint(b.robot), 6)
  })

  it('records what it was told, and when', async () => {
    const { robot, to } = atTime()
    await robot.reset()
    to(5)
    await robot.apply(Float32Array.of(0.25, 0))
    to(9)
    await robot.stop('safe')
    expect(robot.record).toEqual([
      { kind: 'reset', atUs: 1000 },
      { kind: 'apply', atUs: 6000, action: Float32Array.of(0.25, 0) },
      { kind: 'stop', atUs: 10_000, category: 'safe' },
    ])
    const stopped = await joint(robot)
    to(500)
    expect(await joint(robot)).toBe(stopped)
  })

  it('shows its joints, by name and in its image', async () => {
    const { robot, to } = atTime({ lagMs: 0, sensorLatencyUs: 700 })
    await robot.apply(Float32Array.of(1, -1))
    to(1)
    const { observation, ageUs } = await robot.read()
    expect(ageUs).toBe(700)
    expect(observation.proprio).toEqual(Float32Array.of(1, -1))
    expect(robot.spec.proprioSpace.names).toEqual(robot.spec.actionSpace.names)
    const image = observation.images['front']!
    expect(whyOutside(robot.spec.imageSpaces['front']!, image)).toBeUndefined()
    const red = (column: number): number =>
      Array.from({ length: 32 }, (_, row) => image[(row * 32 + column) * 3]).filter((x) => x === 255).length
    expect([red(0), red(15), red(16), red(31)]).toEqual([32, 32, 0, 0])
  })

  it('fails as it is told', async () => {
    const { robot } = atTime()
    robot.faults.readFails = true
    await expect(robot.read()).rejects.toThrow('cannot be read')
    robot.faults.applyFails = true
    await expect(robot.apply(Float32Array.of(0, 0))).rejects.toThrow('takes no action')
    robot.faults.applyFails = false
    robot.faults.applyDelayMs = 30
    const before = performance.now()
    await robot.apply(Float32Array.of(0, 0))
    expect(performance.now() - before).toBeGreaterThan(25)
    expect(robot.record).toHaveLength(1)
  })
})
