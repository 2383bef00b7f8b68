/**
 * Arms from files under the three ways to control them: whether `armature check` holds, and what hard actions do to the joints.
 *
 *   npx tsx bench/robots.ts [--from 0] [--episodes 500] [--control joint-position] [ROBOT ...]
 *
 * A robot is `panda` (the built-in one), `generated` (those of the tests), a file or a folder of files; default: the first two. Hard actions are bang-bang, held for up to a second, or anything between the extremes, in
 * episodes of 200 steps. They follow from the number of the episode alone, so that a long run can be made in pieces. Prints a row per arm and control of the table
 * in docs/results/robots.md; `check` is run through the command line, by the piece that begins at 0.
 */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import { Kinematics } from '../envs/robots/kinematics.ts'
import { PANDA_WITH_TOOL } from '../envs/robots/panda.ts'
import { loadRobot } from '../envs/robots/robot-file.ts'
import { ARM_REACH_ID, makeArmReach } from '../envs/tasks/arm-reach.ts'
import { runProgram } from '../src/cli/run-program.ts'
import { Rng } from '../src/core/rng.ts'
import { generatedArms } from '../tests/envs/robots/urdf-drafts.ts'

const CONTROLS = ['joint-position', 'joint-delta', 'cartesian-delta'] as const
const EPISODE_STEPS = 200
const LONGEST_HOLD = 20
/** Folded angles jump by a whole turn. */
const FLIP_RAD = Math.PI

const { values, positionals } = parseArgs({
  options: {
    from: { type: 'string', default: '0' },
    episodes: { type: 'string', default: '500' },
    control: { type: 'string' },
  },
  allowPositionals: true,
})
const first = Number(values.from)
const last = first + Number(values.episodes)
const controls = values.control === undefined ? CONTROLS : [values.control]
const folder = mkdtempSync(join(tmpdir(), 'armature-robots-'))

process.stdout.write(
  '| arm | control | check | worst beyond a limit, rad | flips | NaN |\n| --- | --- | --- | --- | --- | --- |\n',
)
for (const robot of (positionals.length === 0 ? ['panda', 'generated'] : positionals).flatMap(robotsOf)) {
  for (const control of controls) process.stdout.write(`${await row(robot, control)}\n`)
}
rmSync(folder, { recursive: true })

/** Their files; undefined: the built-in Panda. */
function robotsOf(path: string): (string | undefined)[] {
  if (path === 'panda') return [undefined]
  if (path === 'generated') {
    return Object.entries(generatedArms()).map(([name, urdf]) => {
      const file = join(folder, `${name}.urdf`)
      writeFileSync(file, urdf)
      return file
    })
  }
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { recursive: true })
    .map((name) => join(path, String(name)))
    .filter((name) => /\.(urdf|xml)$/.test(name) && basename(name) !== 'package.xml')
    .toSorted()
}

async function row(robot: string | undefined, control: string): Promise<string> {
  const name = robot === undefined ? 'the built-in Panda' : basename(robot)
  const verdict = first > 0 ? 'holds' : await check(robot, control)
  if (verdict !== 'holds') return `| ${name} | ${control} | ${verdict} | | | |`
  const { beyond, flips, bad } = await hardActions(robot, control)
  return `| ${name} | ${control} | ${verdict} | ${beyond.toFixed(4)} | ${flips} | ${bad} |`
}

/** What `armature check` says: that all holds, the cases that fail, or why the arm is refused. */
async function check(robot: string | undefined, control: string): Promise<string> {
  let [out, err] = ['', '']
  const stdout = new Writable({ write: (chunk, _encoding, done) => ((out += String(chunk)), done()) })
  const stderr = new Writable({ write: (chunk, _encoding, done) => ((err += String(chunk)), done()) })
  const set = robot === undefined ? [] : ['--set', `robot=${robot}`]
  const code = await runProgram(['check', ARM_REACH_ID, '--set', `control=${control}`, ...set], { stdout, stderr })
  if (code === 0) return 'holds'
  const failed = [...out.matchAll(/^ *FAIL +(.*)$/gm)].map(([, text]) => text)
  return failed.length > 0 ? failed.join('; ') : `exit ${code}: ${err.trim().split('\n').at(-1)}`
}

interface Damage {
  /** rad; m for joints that slide. */
  readonly beyond: number
  readonly flips: number
  /** Steps after which a reading was no number. */
  readonly bad: number
}

async function hardActions(robot: string | undefined, control: string): Promise<Damage> {
  const options = { size: 1, supersample: 'off', control, maxEpisodeSteps: EPISODE_STEPS }
  const env = await makeArmReach({ ...options, ...(robot === undefined ? {} : { robot }) })
  const { lower, upper } = new Kinematics(robot === undefined ? PANDA_WITH_TOOL : await loadRobot(robot))
  const action = new Float32Array(env.spec.actionSpace.shape[0]!)
  const before = new Float32Array(lower.length)
  let [beyond, flips, bad] = [0, 0, 0]
  for (let episode = first; episode < last; episode++) {
    const rng = new Rng(episode)
    before.set((await env.reset({ seed: episode })).observation.proprio.slice(0, lower.length))
    for (let step = 0, until = 0; step < EPISODE_STEPS; step++) {
      if (step >= until) {
        hardAction(action, rng)
        until = step + 1 + rng.int(LONGEST_HOLD)
      }
      const { proprio } = (await env.step(action)).observation
      if (!proprio.every(Number.isFinite)) bad++
      for (let j = 0; j < before.length; j++) {
        beyond = Math.max(beyond, lower[j]! - proprio[j]!, proprio[j]! - upper[j]!)
        if (Math.abs(proprio[j]! - before[j]!) > FLIP_RAD) flips++
        before[j] = proprio[j]!
      }
    }
  }
  await env.close()
  return { beyond, flips, bad }
}

function hardAction(action: Float32Array, rng: Rng): void {
  for (let i = 0; i < action.length; i++) {
    const kind = rng.uniform(0, 1)
    action[i] = kind < 0.4 ? 1 : kind < 0.8 ? -1 : rng.uniform(-1, 1)
  }
}
