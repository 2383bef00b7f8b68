import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import type { InferenceSessionFactory } from 'onnxruntime-node'
import { ArmatureError } from '../core/errors.ts'
import { encodeModel } from './compile/onnx-model.ts'
import { registerMissingGradients } from './gradients.ts'
import { polyfillUtil, tf } from './tf.ts'

/** What runs compiled programs: see the table in README.md. */
export type EngineName = 'onnx' | 'tensorflow' | 'js'

export interface EngineOptions {
  /** Default `onnx`. `auto` takes `tensorflow` when it finds a GPU, else `onnx`. */
  readonly name?: EngineName | 'auto'
  /** Threads of the native engine; default: half of the cores, 1 to 4, so that the simulator and Node keep theirs. */
  readonly threads?: number
  /** ONNX Runtime execution providers in order of preference, e.g. `['webgpu', 'cpu']`; default `['cpu']`. */
  readonly providers?: readonly string[]
}

export interface EngineInfo {
  readonly name: EngineName
  readonly version: string
  readonly threads: number
  /** `cpu`, `gpu`, or the execution providers joined by `+`. */
  readonly device: string
  /** What a user should know, e.g. how slow it is. */
  readonly note?: string
}

export interface EngineProbe {
  readonly name: EngineName
  readonly available: boolean
  /** Version and device, or why it is not available. */
  readonly detail: string
}

interface Running {
  readonly info: EngineInfo
  readonly providers: readonly string[]
}

const JS_NOTE = 'pure JavaScript, the reference for tests: expect training to be about 100 times slower than onnx'
const TENSORFLOW_PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const

let running: Running | undefined

/**
 * Chooses what runs compiled programs from here on; call it once at start. A second call switches: programs compiled before
 * keep working, on the new engine.
 *
 * @throws ArmatureError `engine-unavailable` when the engine that was asked for cannot start on this machine.
 */
export async function startEngine(options: EngineOptions = {}): Promise<EngineInfo> {
  const name = options.name ?? 'onnx'
  const threads = options.threads ?? Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)))
  if (!Number.isInteger(threads) || threads < 1) {
    throw new ArmatureError('bad-argument', 'engine threads', { expected: 'an integer >= 1', got: String(threads) })
  }
  if (name === 'auto') running = (await startTensorflowOnGpu()) ?? (await startOnnx(threads, options.providers))
  else if (name === 'onnx') running = await startOnnx(threads, options.providers)
  else if (name === 'tensorflow') running = await startTensorflow()
  else running = await startJs()
  return running.info
}

/**
 * The engine that runs.
 * @throws ArmatureError `engine-unavailable` before {@link startEngine}.
 */
export function engineInfo(): EngineInfo {
  return runningEngine().info
}

/** ONNX Runtime execution providers that programs are to ask for. */
export function executionProviders(): readonly string[] {
  return runningEngine().providers
}

function runningEngine(): Running {
  if (running === undefined) {
    throw new ArmatureError('engine-unavailable', 'no engine', { fix: 'call startEngine() first' })
  }
  return running
}

/** What this machine has, engine by engine; starts nothing that stays. */
export async function probeEngines(): Promise<readonly EngineProbe[]> {
  const starters = [
    ['onnx', () => startOnnx(1, undefined)],
    ['tensorflow', startTensorflow],
    ['js', startJs],
  ] as const
  const backend = tf.getBackend()
  const probes: EngineProbe[] = []
  for (const [name, start] of starters) {
    try {
      const { info } = await start()
      probes.push({ name, available: true, detail: `${info.version} on ${info.device}` })
    } catch (error) {
      probes.push({ name, available: false, detail: error instanceof Error ? error.message : String(error) })
    }
  }
  await tf.setBackend(backend)
  return probes
}

async function startJs(): Promise<Running> {
  await tf.setBackend('cpu')
  return { info: { name: 'js', version: tf.version_core, threads: 1, device: 'cpu', note: JS_NOTE }, providers: [] }
}

async function startOnnx(threads: number, providers: readonly string[] = ['cpu']): Promise<Running> {
  // ONNX Runtime reads it as it loads; otherwise it keeps a device id and a database of events under the user's home.
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1'
  const { env, InferenceSession, listSupportedBackends } = await import('onnxruntime-node').catch((cause: unknown) => {
    throw new ArmatureError('engine-unavailable', 'engine onnx: onnxruntime-node did not load', {
      got: firstLine(cause),
      fix: 'run "npm install --ignore-scripts", which leaves its download of GPU libraries out, or choose the engine js',
      cause,
    })
  })
  const supported = listSupportedBackends().map((backend) => backend.name)
  const unknown = providers.find((provider) => !supported.includes(provider))
  if (unknown !== undefined) {
    throw new ArmatureError('engine-unavailable', 'engine onnx', {
      expected: `an execution provider of ${supported.join(', ')}`,
      got: unknown,
    })
  }
  if (providers.some((provider) => provider !== 'cpu')) await tryProviders(InferenceSession, providers)
  await tf.setBackend('cpu')
  return {
    info: { name: 'onnx', version: env.versions.node ?? 'unknown', threads, device: providers.join('+') },
    providers,
  }
}

/** A provider may be built in and yet find no device: a one-node model tells. */
async function tryProviders(sessions: InferenceSessionFactory, providers: readonly string[]): Promise<void> {
  const value = { type: 'float32', shape: [1] } as const
  const node = { op: 'Identity', domain: '', inputs: ['x'], outputs: ['y'], attributes: {} }
  const inputs = [{ name: 'x', ...value }]
  const outputs = [{ name: 'y', ...value }]
  const model = encodeModel({ name: 'probe', nodes: [node], inputs, outputs, initializers: [] })
  try {
    const session = await sessions.create(model, { executionProviders: [...providers], logSeverityLevel: 4 })
    await session.release()
  } catch (cause) {
    throw new ArmatureError('engine-unavailable', `engine onnx on ${providers.join('+')}`, {
      got: firstLine(cause),
      fix: 'leave the provider out to run on the CPU',
      cause,
    })
  }
}

async function startTensorflow(): Promise<Running> {
  polyfillUtil()
  const failures: string[] = []
  for (const packageName of TENSORFLOW_PACKAGES) {
    try {
      checkAddon(packageName)
      // It brings TF.js's own gradients with it, even where it fails to load, and they take the place of those that mend them.
      await import(packageName).finally(registerMissingGradients)
      await tf.setBackend('tensorflow')
      const device = tensorflowOnGpu() ? 'gpu' : 'cpu'
      const info = { name: 'tensorflow', version: tf.version_core, threads: availableParallelism(), device } as const
      return { info, providers: [] }
    } catch (error) {
      failures.push(`${packageName}: ${firstLine(error)}`)
    }
  }
  throw new ArmatureError('engine-unavailable', 'engine tensorflow', {
    got: failures.join('; '),
    fix: 'run "npm install @tensorflow/tfjs-node", or choose the engine onnx',
  })
}

/** Asked before the import: a package without its addon registers its kernels all the same, and the next one warns of each. */
function checkAddon(packageName: string): void {
  const lib = join(dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`)), 'lib')
  const builds = existsSync(lib) ? readdirSync(lib) : []
  if (!builds.some((build) => existsSync(join(lib, build, 'tfjs_binding.node')))) {
    throw new Error('its native addon (tfjs_binding.node) was not installed')
  }
}

async function startTensorflowOnGpu(): Promise<Running | undefined> {
  const started = await startTensorflow().catch(() => undefined)
  return started?.info.device === 'gpu' ? started : undefined
}

function tensorflowOnGpu(): boolean {
  return (tf.backend() as { isUsingGpuDevice?: boolean }).isUsingGpuDevice === true
}

function firstLine(error: unknown): string {
  const { code } = error as { readonly code?: unknown }
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return 'not installed'
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!
}
