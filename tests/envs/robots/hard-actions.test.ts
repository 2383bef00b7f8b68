import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Kinematics } from '../../../envs/robots/kinematics.ts'
import { PANDA_WITH_TOOL } from '../../../envs/robots/panda.ts'
import { loadUrdf } from '../../../envs/robots/urdf-files.ts'
import { makeArmReach } from '../../../envs/tasks/arm-reach.ts'
import { Rng } from '../../../src/core/rng.ts'
import { generatedArms } from './urdf-drafts.ts'

const folder = mkdtempSync(join(tmpdir(), 'armature-hard-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Steps of each run; `HARD_ACTIONS=100000` is what was done by hand. */
const STEPS = Number(process.env['HARD_ACTIONS'] ?? 250)

const ARMS: readonly (readonly [string, string | undefined])[] = [
  ['the built-in Panda', undefined],
  ...Object.entries(generatedArms()).map(([name, urdf]): [string, string] => {
    const path = join(folder, `${name}.urdf`)
    writeFileSync(path, urdf)
    return [name, path]
  }),
]

/** Corners of the action space, held for up to a second, and anything between. */
function hardAction(action: Float32Array, rng: Rng): void {
  for (let i = 0; i < action.length; i++) {
    const kind = rng.uniform(0, 1)
    action[i] = kind < 0.4 ? 1 : kind < 0.8 ? -1 : rng.uniform(-1, 1)
  }
}

describe.each(ARMS)('%s under hard actions', (_name, robot) => {
  it.each(['joint-position', 'joint-delta', 'cartesian-delta'])('by %s keeps its limits', async (control) => {
    const options = { size: 1, supersample: 'off', control, maxEpisodeSteps: STEPS + 1 }
    const env = await makeArmReach({ ...options, ...(robot === undefined ? {} : { robot }) })
    const { lower, upper } = new Kinematics(robot === undefined ? PANDA_WITH_TOOL : await loadUrdf(robot))
    const [action, rng] = [new Float32Array(env.spec.actionSpace.shape[0]!), new Rng(3)]
    const { observation } = await env.reset({ seed: 0 })
    let before = observation.proprio.slice(0, lower.length)
    let [beyond, jump] = [0, 0]
    for (let step = 0, until = 0; step < STEPS; step++) {
      if (step >= until) {
        hardAction(action, rng)
        until = step + rng.uniform(1, 20)
      }
      await env.step(action)
      const q = observation.proprio.slice(0, lower.length)
      for (let j = 0; j < q.length; j++) {
        beyond = Math.max(beyond, lower[j]! - q[j]!, q[j]! - upper[j]!)
        jump = Math.max(jump, Math.abs(q[j]! - before[j]!))
      }
      before = q
    }
    expect(beyond).toBeLessThan(0.02)
    // Half a turn in one step would be an angle that was folded.
    expect(jump).toBeLessThan(Math.PI / 2)
    expect([...observation.proprio].every(Number.isFinite)).toBe(true)
    await env.close()
  })
})
