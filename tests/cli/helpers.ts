import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll } from 'vitest'
import { BIN } from '../built.ts'
import { runHere } from './in-process.ts'

/** A process that the tests wait for may share its core with many others. */
export const SLOW_MS = 600_000

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  /** What it has written so far. */
  readonly output: { readonly stdout: string; readonly stderr: string }
  readonly finished: Promise<Finished>
}

const started: ChildProcess[] = []
// A test that fails half-way leaves no process behind.
afterAll(() => started.forEach((child) => child.kill('SIGKILL')))

/** Starts `armature <args>` in `cwd`, as a user would: none of npm's or this shell's settings reach it. */
export function startCli(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  return startNode([BIN, ...args], cwd, env)
}

/** Starts `node <args>`; `built` names the script of a `.ts` file. */
export function startNode(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Running {
  return startCommand(process.execPath, args, cwd, env)
}

/** Starts a command, e.g. a shell that says where the output of `armature` goes. */
export function startCommand(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Running {
  const child = spawn(command, args, { cwd, env: environment(env) })
  started.push(child)
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (piece: string) => (output[name] += piece))
  }
  const finished = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    ...output,
  }))
  return { child, output, finished }
}

/** {@link startCli}, waited for: for tests of what a process alone shows, such as its exit code or that a robot is served beside it. */
export async function spawnCli(cwd: string, args: readonly string[]): Promise<Finished> {
  return startCli(cwd, args).finished
}

/** The working directory and the environment are those of the whole process: calls wait for each other. */
let previous: Promise<unknown> = Promise.resolve()

/** Runs `armature <args>` in this process as if it were started in `cwd`. */
export async function runCli(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const run = previous.then(() => runInside(cwd, args, env))
  previous = run.catch(() => undefined)
  return run
}

async function runInside(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Finished> {
  const before = { cwd: process.cwd(), env: process.env }
  process.chdir(cwd)
  process.env = environment(env)
  try {
    return { ...(await runHere(args)), signal: null }
  } finally {
    process.chdir(before.cwd)
    process.env = before.env
  }
}

/** This process's environment without what npm and this shell say to `armature`, and with `own`. */
function environment(own: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { npm_lifecycle_event: _event, ARMATURE_ENGINE: _engine, ...inherited } = process.env
  return { ...inherited, ...own }
}

/** A folder for the tests of one file, removed after them. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'armature-cli-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Waits until `condition` holds; `running` ending before is an error with what it wrote. */
export async function until(condition: () => boolean, { child, finished }: Running): Promise<void> {
  while (!condition()) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`ended before: ${JSON.stringify(await finished)}`)
    }
    await setTimeout(5)
  }
}

/** Text of a file, empty while there is none. */
export function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

/** Everything under `folder` by relative path, as text that is equal only for equal bytes. */
export function contentOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()
  return Object.fromEntries(
    files
      .filter((file) => statSync(join(folder, file)).isFile())
      .map((file) => [file, readFileSync(join(folder, file), 'latin1')]),
  )
}

const TINY = {
  'agent.config.hidden': [16, 16],
  'training.learningStarts': 60,
  'training.batchSize': 16,
  'training.logEvery': 50,
  'training.evalEvery': 150,
  'training.evalEpisodes': 1,
  'training.finalEpisodes': 2,
  'training.checkpointEvery': 100,
}

/** `--set` flags that make a push run small: seconds from start to end, every part of the run exercised. */
export const TINY_PUSH: readonly string[] = sets({
  'env.options.maxEpisodeSteps': 25,
  'representation.pretrain.frames': 200,
  'representation.pretrain.resetEvery': 5,
  'representation.pretrain.extraStarts': 10,
  'representation.pretrain.validationFraction': 0.2,
  'representation.pretrain.updates': 10,
  'representation.pretrain.batchSize': 8,
  'representation.config.latentSize': 3,
  ...TINY,
})

/** The same for a run without an encoder. */
export const TINY_SAC: readonly string[] = sets(TINY)

export function sets(settings: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`])
}
