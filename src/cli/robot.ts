import { readFile } from 'node:fs/promises'
import { envRobot } from '../../bridges/adapters/env-robot.ts'
import { mockRobot } from '../../bridges/adapters/mock-robot.ts'
import { processRobot } from '../../bridges/adapters/process-robot.ts'
import type { EventContent } from '../../bridges/server/publisher.ts'
import type { HandshakeKeys } from '../../bridges/server/handshake.ts'
import { RobotServer } from '../../bridges/server/robot-server.ts'
import type { LimitProfile } from '../../bridges/safety/limits.ts'
import { loadLimits } from '../../bridges/safety/limits.ts'
import type { Endpoints } from '../../bridges/zmq/sockets.ts'
import { makeEnv } from '../../envs/index.ts'
import { loadRobot } from '../../envs/robots/robot-file.ts'
import { limitsOfRobot } from '../../envs/robots/robot-limits.ts'
import { applyOverrides } from '../config/overrides.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Robot } from '../core/robot.ts'
import { isFileError } from '../io/atomic.ts'
import type { ListenFlags } from './bridge-connect.ts'
import { listenSecurity } from './bridge-connect.ts'
import type { CliContext } from './context.ts'
import { monotonicUs } from './monotonic-clock.ts'
import { PatientOutput, patientWriter } from './patient-output.ts'

export interface RobotOptions extends ListenFlags {
  /** Address of the control socket; the other three are at the next ports. */
  readonly bind: string
  /** Limits file; default: the action space alone. */
  readonly limits?: string
  /** Time stands still until each action comes. */
  readonly lockstep?: boolean
  /** Only an operator may arm it. */
  readonly operatorArms?: boolean
  /** Let clients that ask for it drive although they were trained for another robot. */
  readonly allowMismatch?: boolean
  /** Of JPEG, for those who ask for it. */
  readonly jpegQuality?: number
  /** Of the scene's random stream until the first reset with a seed. */
  readonly seed?: number
  /** `--set` assignments of env options, in order. */
  readonly set?: readonly string[]
}

export interface RobotReport {
  readonly robot: string
  readonly mode: 'realtime' | 'lockstep'
  readonly endpoints: Endpoints
  /** Cumulative, as in the protocol's `metrics`. */
  readonly counters: Readonly<Record<string, number>>
}

/** For the last events, where the output is slow. */
const FLUSH_MS = 300
/** The name under which the mock robot is found beside the scenes. */
const MOCK = 'mock'

/**
 * `armature robot`: a scene, the mock robot, or a driver in Python (a .py file), as a robot behind the bridge, until Ctrl-C. Then it tells its clients, comes to rest and ends
 * within a second. Every event is one line; with `--json` one object, after one that says where it listens.
 *
 * @throws ArmatureError `not-found` or `bad-argument` for a scene, option or address that cannot be used, `bad-config` for limits that do not
 *   fit, and what reading keys throws
 */
export async function runRobot(context: CliContext, id: string, options: RobotOptions): Promise<RobotReport> {
  const robot = await makeRobot(id, options)
  const limits = options.limits === undefined ? undefined : await readLimits(options.limits, robot)
  const security = await listenSecurity(options, context.clock)
  const output = new PatientOutput(patientWriter(context.stdout))
  const mode = options.lockstep === true ? 'lockstep' : 'realtime'
  const server = new RobotServer({
    robot,
    clock: monotonicUs,
    wallClock: context.clock,
    endpoint: options.bind,
    mode,
    insecureLan: options.insecureLan ?? false,
    operatorArms: options.operatorArms ?? false,
    allowsMismatch: options.allowMismatch ?? false,
    ...(limits === undefined ? {} : { limits }),
    ...(options.jpegQuality === undefined ? {} : { jpegQuality: options.jpegQuality }),
    ...(security === undefined ? {} : { security }),
    onEvent: (event) => tell(context, output, event),
  })
  // Until then a client that hurries may be answered before this process says where it is.
  const stopped = new Promise<void>((resolve) => {
    context.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  try {
    await server.start()
    announce(context, robot, { mode, endpoints: server.endpoints, limits, security })
    if (!context.signal.aborted) await stopped
  } finally {
    await server.close('stopped at its terminal')
    await output.flush(FLUSH_MS)
  }
  context.print('closed')
  return { robot: robot.spec.name, mode, endpoints: server.endpoints, counters: server.counters }
}

async function makeRobot(id: string, { set = [], seed }: RobotOptions): Promise<Robot> {
  if (id.endsWith('.py')) return processRobot(process.env['ARMATURE_PYTHON'] ?? 'python3', [id])
  if (id !== MOCK) {
    const env = await makeEnv(id, applyOverrides({}, set))
    if (seed !== undefined) await env.reset({ seed })
    return envRobot(env)
  }
  if (set.length === 0 && seed === undefined) return mockRobot({ clock: monotonicUs })
  throw new ArmatureError('bad-argument', 'the mock robot', { got: '--set or --seed, of which it takes none' })
}

/** From a limits file, or from the description of the robot itself. */
async function readLimits(path: string, robot: Robot): Promise<LimitProfile> {
  if (/\.(urdf|xacro|xml|mjcf)$/i.test(path))
    return loadLimits(limitsOfRobot(await loadRobot(path), robot.spec), path, robot.spec)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (!isFileError(error, 'ENOENT')) throw error
    throw new ArmatureError('not-found', `limits file ${path}`, { got: 'no such file', cause: error })
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new ArmatureError('bad-config', `limits file ${path}`, {
      got: error instanceof Error ? error.message : 'no JSON',
      cause: error,
    })
  }
  return loadLimits(json, path, robot.spec)
}

interface Announcement {
  readonly mode: RobotReport['mode']
  readonly endpoints: Endpoints
  readonly limits: LimitProfile | undefined
  readonly security: HandshakeKeys | undefined
}

function announce(context: CliContext, { spec }: Robot, { mode, endpoints, limits, security }: Announcement): void {
  const { control } = endpoints
  const publicKey = security?.keys.publicKey
  if (context.json) {
    const line = { event: 'listening', robot: spec.name, mode, endpoints, ...(publicKey && { publicKey }) }
    context.stdout.write(`${JSON.stringify(line)}\n`)
  }
  const rate = mode === 'lockstep' ? 'in lock-step' : `in real time, ${spec.controlHz} Hz`
  context.print(`${spec.name} ${spec.serial} ${rate}, limits ${limits?.name ?? 'none but its action space'}`)
  context.print(`listening at ${control}${publicKey === undefined ? '' : `, robot key ${publicKey}`}`)
  context.print(`drive it: ${context.invocation(`drive <run> --to ${control}`)}; Ctrl-C stops it`)
}

function tell(context: CliContext, output: PatientOutput, event: EventContent): void {
  const time = new Date(context.clock()).toISOString()
  if (context.json) {
    output.push(JSON.stringify({ time, ...event }))
    return
  }
  const { fromState, toState, event: kind, code, text } = event
  const state = toState === undefined ? kind : fromState === toState ? toState : `${fromState} -> ${toState}`
  if (!context.quiet) output.push(`${time.slice(11, 23)}  ${state}  ${code}: ${text}`)
}
