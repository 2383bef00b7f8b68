import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { processRobot } from '../../../bridges/adapters/process-robot.ts'
import type { Robot } from '../../../src/core/robot.ts'
import type { TestBridge } from '../helpers.ts'
import { openActive, openBridge, until } from '../helpers.ts'
import { python, whyNoPython } from './python.ts'

const reason = whyNoPython('msgpack', 'numpy')
const MOCK_ARM = fileURLToPath(new URL('../../../bridges/python/mock_arm.py', import.meta.url))

/** On a busy machine a call of another process may take its time. */
const SLOW = { stuckUs: 20e6 }

let bridge: TestBridge | undefined
let folder: string | undefined
afterEach(async () => {
  await bridge?.close()
  bridge = undefined
  if (folder !== undefined) await rm(folder, { recursive: true })
  folder = undefined
})

/** The mock arm with some of its code replaced. */
async function changedArm(...changes: readonly [from: string, to: string][]): Promise<Robot> {
  folder = await mkdtemp(join(tmpdir(), 'armature-driver-'))
  let code = await readFile(MOCK_ARM, 'utf8')
  for (const [from, to] of changes) {
    expect(code).toContain(from)
    code = code.replace(from, to)
  }
  const path = join(folder, 'arm.py')
  await writeFile(
    path,
    `import sys\nsys.path.insert(0, ${JSON.stringify(dirname(MOCK_ARM))})\n${code.replace('from __future__ import annotations', '')}`,
  )
  return processRobot(python, [path])
}

describe.skipIf(reason !== '')(`a driver in Python behind the server ${reason}`, { timeout: 60_000 }, () => {
  it('is driven in real time, and told to stop', async () => {
    const robot = await processRobot(python, [MOCK_ARM])
    expect(robot.spec).toMatchObject({ name: 'mock-arm', controlHz: 50, isSimulated: true })
    bridge = await openBridge({ robot, ...SLOW })
    const client = await openActive(bridge)
    let seen = 0
    for await (const observation of client.observations()) {
      expect([...observation.images['top']!.pixels.data.subarray(0, 6)]).toEqual([255, 0, 0, 0, 0, 0])
      if (observation.applied?.client === 'policy' && ++seen > 5) break
      client.act(Float32Array.of(0.5, -0.5), { observationSeq: observation.observationSeq })
    }
    await client.stop('safe')
    expect(bridge.server.state).toBe('SAFE_STOP')
  })

  it('runs in lock-step, the same each time', async () => {
    bridge = await openBridge({ robot: await processRobot(python, [MOCK_ARM]), mode: 'lockstep' })
    const client = await bridge.connect()
    await client.lease()
    await client.arm()
    const rewards: number[][] = []
    for (let episode = 0; episode < 2; episode++) {
      let observation = await client.reset({ seed: 4 })
      await client.start()
      const seen = [observation.reward]
      while (!observation.truncated) {
        observation = await client.step(Float32Array.of(0.1, 0.2), observation.observationSeq)
        seen.push(observation.reward)
      }
      rewards.push(seen)
    }
    expect(rewards[0]).toHaveLength(101)
    expect(rewards[0]).toEqual(rewards[1])
  })

  it('ends its homing when it is stopped', async () => {
    bridge = await openBridge({ robot: await processRobot(python, [MOCK_ARM]), ...SLOW })
    const client = await bridge.connect()
    const operator = await bridge.connect({ role: 'operator' })
    await client.lease()
    await client.arm()
    const reset = client.reset({ options: { homing_s: 30 } })
    reset.catch(() => undefined)
    await until(() => bridge!.events.some(({ code }) => code === 'reset'))
    await operator.stop('hold')
    await expect(reset).rejects.toThrow(/epoch_stale/)
    // It has ended, and can be asked again.
    await client.arm()
    expect(await client.reset()).toMatchObject({ stale: false })
  })

  it.each<[string, [string, string], RegExp]>([
    ['raises', ['self.steps += 1', 'raise OSError("bus is off")'], /OSError: bus is off/],
    ['dies', ['self.steps += 1', 'import os; os._exit(3)'], /the driver has ended \(3\)/],
    ['reads NaN', ['self.steps += 1', 'self.angles[0] = np.nan'], /shoulder_rad is nan/i],
    ['hangs', ['self.steps += 1', 'import time; time.sleep(60)'], /has not answered/],
  ])('that %s is stopped for good', async (what, change, text) => {
    bridge = await openBridge({ robot: await changedArm(change), ...(what === 'hangs' ? {} : SLOW) })
    const client = await openActive(bridge)
    client.act(Float32Array.of(0.5, -0.5), { observationSeq: 0 })
    const { server, events } = bridge
    expect(await until(() => server.state === 'SAFE_STOP')).toBe(true)
    expect(events.some((event) => event.event === 'fault' && text.test(event.text))).toBe(true)
  })

  it('that is none says so in one line', async () => {
    await expect(processRobot(python, ['-c', 'print("hello")'])).rejects.toThrow(/driver .*(no answer|has ended)/)
    await expect(processRobot('/no/such/python', [])).rejects.toThrow(/ENOENT/)
  })
})
