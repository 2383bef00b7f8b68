/**
 * How long a robot of detailed meshes takes to build, and how fast it steps beside the built-in Panda.
 *
 *   npx tsx bench/detailed-robot.ts [--triangles 400000] [--format stl|obj|dae] [--links 6]
 *
 * The triangles are shared out over so many links, which look as they collide. Prints the medians of 5 builds and of 5 turns of 300 steps each, in
 * which the arms take turns.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeArmReach } from '../envs/tasks/arm-reach.ts'
import type { SimulatedGoalEnv } from '../src/core/env.ts'
import { Rng } from '../src/core/rng.ts'
import { binaryStl, collada, obj, roughBallFaces } from '../tests/envs/robots/mesh-drafts.ts'
import { soundArm, urdfOf } from '../tests/envs/robots/urdf-drafts.ts'

const TURNS = 5
const STEPS = 300

const { values } = parseArgs({
  options: {
    triangles: { type: 'string', default: '400000' },
    format: { type: 'string', default: 'stl' },
    links: { type: 'string', default: '6' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'armature-detailed-'))
const robot = writeRobot(Number(values.triangles), Number(values.links), values.format)

const builds: number[] = []
for (let turn = 0; turn < TURNS; turn++) {
  const start = process.cpuUsage().user
  await (await makeArmReach({ robot })).close()
  builds.push((process.cpuUsage().user - start) / 1000)
}
const [panda, detailed] = [await makeArmReach(), await makeArmReach({ robot })]
const times: Record<'panda' | 'detailed', number[]> = { panda: [], detailed: [] }
for (let turn = 0; turn < TURNS; turn++) {
  times.panda.push(await timeOf(panda))
  times.detailed.push(await timeOf(detailed))
}
rmSync(folder, { recursive: true })
const [pandaMs, detailedMs] = [median(times.panda), median(times.detailed)]
process.stdout.write(
  `${values.triangles} triangles as ${values.format} in ${values.links} links: first build ${(builds[0]! / 1000).toFixed(2)} s of user CPU, ` +
    `median ${(median(builds) / 1000).toFixed(2)} s; a step ${detailedMs.toFixed(2)} ms, the Panda's ${pandaMs.toFixed(2)} ms, ` +
    `ratio ${(detailedMs / pandaMs).toFixed(2)}\n`,
)

/** The path of its URDF file. */
function writeRobot(triangles: number, links: number, format: string): string {
  const draft = soundArm()
  for (let i = 0; i < links; i++) {
    const faces = roughBallFaces(triangles / links, i)
    const content = format === 'obj' ? obj(faces) : format === 'dae' ? collada(faces) : binaryStl(faces)
    writeFileSync(join(folder, `${i}.${format}`), content)
    const shape = `<geometry><mesh filename="${i}.${format}"/></geometry>`
    Object.assign(draft.links[1 + (i % 6)]!, { visual: shape, collision: shape })
  }
  const path = join(folder, 'detailed.urdf')
  writeFileSync(path, urdfOf(draft))
  return path
}

/** Of a step, ms. */
async function timeOf(env: SimulatedGoalEnv): Promise<number> {
  const rng = new Rng(1)
  const action = new Float32Array(env.spec.actionSpace.shape[0]!)
  const start = performance.now()
  for (let step = 0; step < STEPS; step++) {
    if (step % 50 === 0) await env.reset({ seed: step })
    await env.step(rng.fillUniform(action, -1, 1))
  }
  return (performance.now() - start) / STEPS
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
