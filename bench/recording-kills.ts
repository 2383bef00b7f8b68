/**
 * Kills `armature collect` and `armature record` with SIGKILL at random moments, and counts what they had finished by then and is not in
 * their folders and files. Folders are repaired, and read again by pyarrow, which must see the same values.
 *
 *   npx tsx bench/recording-kills.ts [--of collect,record] [--kills 100] [--seed 0] [--python python3]
 *
 * Exits 1 where an episode is lost, a folder does not repair, or values differ. Python needs pyarrow and Pillow.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { envRobot } from '../bridges/adapters/env-robot.ts'
import { PolicyClient } from '../bridges/client/policy-client.ts'
import { LogFiles } from '../bridges/recording/log-files.ts'
import { RobotServer } from '../bridges/server/robot-server.ts'
import { makeEnv } from '../envs/index.ts'
import { monotonicUs } from '../src/cli/monotonic-clock.ts'
import { runProgram } from '../src/cli/run-program.ts'
import { Rng } from '../src/core/rng.ts'
import { openDataset } from '../src/io/lerobot/reader.ts'

const ENV = 'armature/PushPuck-v0'
const STEPS = 12
/** How long after its first note a process is killed, at most. */
const LATEST_MS = 1500
const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
const NOTES = fileURLToPath(new URL('recording-kills-notes.ts', import.meta.url))

/** Prints, for each folder of its arguments, the SHA-256 of the numbers and pixels that pyarrow and Pillow see, by episode. */
const PROGRAM = `
import hashlib, io, json, sys
import numpy as np, pyarrow.parquet as pq
from PIL import Image
for root in sys.argv[1:]:
    rows = pq.read_table(root + '/data').to_pylist()
    episodes = pq.read_table(root + '/meta/episodes').to_pylist()
    found = []
    for episode in sorted(episodes, key=lambda e: e['episode_index']):
        mine = [r for r in rows if r['episode_index'] == episode['episode_index']]
        mine.sort(key=lambda r: r['frame_index'])
        assert len(mine) == episode['length'], (root, episode['episode_index'])
        digest = hashlib.sha256()
        for name, last in [('observation.state', 0), ('observation.environment_state', 0), ('action', 1), ('next.reward', 1)]:
            digest.update(np.array([r[name] for r in mine[:len(mine) - last]], '<f4').tobytes())
        for name in sorted(k for k in mine[0] if k.startswith('observation.images.')):
            for r in mine: digest.update(np.asarray(Image.open(io.BytesIO(r[name]['bytes'])).convert('RGB')).tobytes())
        found.append(digest.hexdigest())
    print(json.dumps(found))
`

const { values: flags } = parseArgs({
  options: {
    of: { type: 'string', default: 'collect,record' },
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: '0' },
    python: { type: 'string', default: 'python3' },
  },
})

const root = await mkdtemp(join(tmpdir(), 'recording-kills-'))
const rng = new Rng(Number(flags.seed))
const faults: string[] = []
const folders: string[] = []
let kept = 0

for (const of of flags.of.split(',')) {
  const bench = of === 'collect' ? undefined : await startRobot()
  for (let i = 0; i < Number(flags.kills); i++) {
    const name = join(root, `${of}-${i}`)
    try {
      await (bench === undefined ? killCollect(name) : killRecord(name, bench.address))
    } catch (error) {
      faults.push(`${of} ${i}: ${(error as Error).message}`)
      console.log(faults.at(-1))
    }
    if (i % 20 === 19) console.log(`${of}: ${i + 1} kills, ${kept} finished episodes, ${faults.length} faults`)
  }
  await bench?.close()
}
await compareWithPython()
await rm(root, { recursive: true })
console.log(`${Number(flags.kills)} kills each of ${flags.of}: ${kept} finished episodes, ${faults.length} faults`)
process.exitCode = faults.length > 0 ? 1 : 0

/** Starts `armature`, kills it at a random moment after its first note, and gives the last. */
async function noteOfKilled(args: readonly string[]): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', '--import', NOTES, MAIN, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  let said = ''
  let notes = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text))
  const pipe = child.stdio[3] as Readable
  const first = new Promise<void>((resolve) => pipe.once('data', () => resolve()))
  pipe.setEncoding('utf8').on('data', (text: string) => (notes += text))
  const end = new Promise<void>((resolve) => child.on('close', () => resolve()))
  await Promise.race([first, end])
  await sleep(rng.uniform(0, LATEST_MS))
  child.kill('SIGKILL')
  await end
  const last = notes.trim().split('\n').at(-1)!
  if (last === '') throw new Error(`ended before: ${said}`)
  return Number(last)
}

async function killCollect(folder: string): Promise<void> {
  const options = ['--set', 'size=24', '--set', `maxEpisodeSteps=${STEPS}`, '--policy', 'random', '--out', folder]
  const finished = await noteOfKilled(['collect', ENV, '--episodes', '5000', '--seed', '1', ...options])
  const { episodes } = await openDataset(folder)
  if (episodes.length < finished) throw new Error(`${episodes.length} of ${finished} episodes`)
  const repaired = `${folder}-repaired`
  await armature('data', 'repair', folder, '--out', repaired)
  await armature('data', 'check', repaired)
  if ((await openDataset(repaired)).episodes.length < finished) throw new Error('episodes lost in the repair')
  folders.push(folder, repaired)
  kept += finished
}

async function killRecord(name: string, address: string): Promise<void> {
  const file = `${name}.rblog`
  const finished = await noteOfKilled(['record', address, '--out', file])
  const log = await LogFiles.open(file)
  const { length } = log
  await log.close()
  if (length < finished) throw new Error(`${length} of ${finished} messages`)
  // Too little for an episode, whenever it began.
  if (length < 2 * STEPS) return
  const folder = `${name}-episodes`
  await armature('replay', file, '--dataset', folder)
  await armature('data', 'check', folder)
  folders.push(folder)
  kept += (await openDataset(folder)).episodes.length
}

async function armature(...args: string[]): Promise<void> {
  let text = ''
  const out = { write: (piece: string) => (text += piece) }
  const code = await runProgram(args, { stdout: out, stderr: out })
  if (code !== 0) throw new Error(`${args.join(' ')}: ${text}`)
}

/** A robot in lock-step that is driven from here, episode after episode. */
async function startRobot(): Promise<{ readonly address: string; close(): Promise<void> }> {
  const env = await makeEnv(ENV, { size: 24, maxEpisodeSteps: STEPS })
  const server = new RobotServer({ robot: envRobot(env), clock: monotonicUs, mode: 'lockstep' })
  await server.start()
  const player = await PolicyClient.connect({ endpoint: server.endpoints.control, clock: monotonicUs })
  await player.lease()
  await player.arm()
  const ending = new AbortController()
  const playing = (async () => {
    for (let seed = 1; !ending.signal.aborted; seed++) {
      let last = await player.reset({ seed })
      await player.start()
      while (!last.truncated && !last.terminated) {
        last = await player.step(Float32Array.of(Math.sin(seed), 0.5), last.observationSeq)
        await sleep(2)
      }
    }
  })()
  return {
    address: server.endpoints.control,
    close: async () => {
      ending.abort()
      await playing
      await player.close()
      await server.close()
    },
  }
}

/** Holds what pyarrow sees of every folder against what is read here. */
async function compareWithPython(): Promise<void> {
  if (folders.length === 0) return
  const { status, stdout, stderr } = spawnSync(flags.python, ['-c', PROGRAM, ...folders], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (status !== 0) faults.push(`pyarrow: ${stderr}`)
  const lines = stdout.trim().split('\n')
  for (const [i, folder] of folders.entries()) {
    const mine = await digestsOf(folder)
    if (lines[i] !== undefined && JSON.stringify(JSON.parse(lines[i])) !== JSON.stringify(mine)) {
      faults.push(`${folder}: pyarrow sees other values`)
      console.log(faults.at(-1))
    }
  }
  console.log(`pyarrow read ${lines.length} folders of ${folders.length}`)
}

async function digestsOf(folder: string): Promise<string[]> {
  const dataset = await openDataset(folder)
  const found: string[] = []
  for (const { index } of dataset.episodes) {
    const { proprio, state, actions, rewards, images } = await dataset.readEpisode(index)
    const digest = createHash('sha256')
    const pixels = Object.keys(images)
      .toSorted()
      .map((name) => images[name]!)
    for (const part of [proprio, state, actions, rewards, ...pixels]) {
      digest.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength))
    }
    found.push(digest.digest('hex'))
  }
  return found
}
