import { createInterface } from 'node:readline/promises'
import { envRobot } from '../../bridges/adapters/env-robot.ts'
import type { ClientEvent, PolicyClientOptions } from '../../bridges/client/options.ts'
import { PolicyClient } from '../../bridges/client/policy-client.ts'
import type { RobotSchema } from '../../bridges/protocol/schema.ts'
import { schemaOf } from '../../bridges/protocol/schema.ts'
import type { RemoteEnv } from '../../bridges/client/remote-env.ts'
import { connectRemoteEnv } from '../../bridges/client/remote-env.ts'
import { envs, makeEnv } from '../../envs/index.ts'
import type { RobotConnector, RobotPlace } from '../compose/parts.ts'
import type { Env, GoalEnv } from '../core/env.ts'
import { isGoalEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { isGoalRobot } from '../core/robot.ts'
import type { BridgeKeyFlags } from './robot-names.ts'
import { robotOf } from './robot-names.ts'
import { clientSecurity } from './bridge-connect.ts'
import type { CliContext } from './context.ts'
import { monotonicUs } from './monotonic-clock.ts'

/** How a command reaches a robot. */
export interface RobotFlags extends BridgeKeyFlags {
  /** Go on although the robot is not like the one that the run was trained on, if the robot allows that too. */
  readonly acceptMismatch?: boolean
  /** Ask for camera images as JPEG. */
  readonly jpeg?: boolean
  /** Move hardware without asking first. */
  readonly yes?: boolean
  /** Whether this command arms the robot; default true. Otherwise an operator does. */
  readonly arms?: boolean
}

/** For each answer of a robot: a busy machine is no reason to give up. */
const TIMEOUT_MS = 10_000

/**
 * The robots that one command uses. All are let go, and their sockets closed, by {@link RobotConnections.close}: a socket left open would keep the
 * process alive, and a robot left alone in motion would latch its stop.
 */
export class RobotConnections implements RobotConnector {
  readonly #context: CliContext
  readonly #flags: RobotFlags
  readonly #opened: Env[] = []

  constructor(context: CliContext, flags: RobotFlags) {
    this.#context = context
    this.#flags = flags
  }

  /** What the robot at `endpoint` calls itself; nobody's lease is touched. */
  async nameOf(endpoint: string): Promise<string> {
    const client = await PolicyClient.connect({ ...(await this.#access(endpoint)), role: 'observer' })
    await client.close('only asked for its name')
    return client.schema.name
  }

  /**
   * The robot at `place.robot`, with its lease. Where `place.id` is a registered scene, made with `place.options`, the robot must have its
   * actions and observations, and the scene answers what the robot cannot be asked. Hardware is asked for at the terminal first.
   *
   * @throws ArmatureError `bad-argument` for a robot of another kind, with both named; `env-failed` where there is none, or it refuses
   */
  async connect(place: RobotPlace): Promise<RemoteEnv> {
    const { id, robot: endpoint } = place
    const twin = id in envs ? await makeEnv(id, place.options) : undefined
    if (twin !== undefined) this.#opened.push(twin)
    const wanted = twin && schemaOfEnv(twin)
    const env = await connectRemoteEnv({
      ...(await this.#access(endpoint)),
      ...(wanted && { expectedSchema: wanted }),
      ...(twin && isGoalEnv(twin) ? { twin } : {}),
      arms: this.#arms,
      onEvent: (event) => this.#tell(event),
    })
    this.#opened.push(env)
    requireName(env.client.schema, place, wanted)
    if (wanted?.goal !== undefined && env.client.schema.goal === undefined) {
      throw new ArmatureError('bad-argument', `robot at ${endpoint}`, {
        expected: `goals, as ${id} has`,
        got: `${env.client.schema.name}, which tells none`,
      })
    }
    if (this.#arms && !env.client.schema.isSimulated) await this.#askFor(env.client.schema)
    this.#context.progress.print(`robot: ${textOfRobot(env)} at ${endpoint}\n`)
    return env
  }

  async #access(robot: string): Promise<PolicyClientOptions> {
    const { acceptMismatch, jpeg } = this.#flags
    const { endpoint, ...keys } = await robotOf(robot, this.#flags)
    const security = await clientSecurity(keys)
    return {
      endpoint,
      clock: monotonicUs,
      name: 'armature',
      timeoutMs: TIMEOUT_MS,
      ...(security === undefined ? {} : { security }),
      ...(acceptMismatch === undefined ? {} : { acceptMismatch }),
      ...(jpeg === true ? { imageCodec: 'jpeg' } : {}),
    }
  }

  async close(): Promise<void> {
    for (const env of this.#opened.splice(0).toReversed()) await env.close()
  }

  get #arms(): boolean {
    return this.#flags.arms ?? true
  }

  /** What someone at the terminal should see at once. */
  #tell(event: ClientEvent): void {
    const { progress } = this.#context
    if (event.source === 'connection') progress.print(`robot: ${event.text}\n`)
    if (event.source === 'refusal') progress.print(`robot: refuses (${event.error.code}): ${event.error.text}\n`)
    if (event.source !== 'robot') return
    const { toState, fromState, code, text } = event.event
    const isTrouble = toState === 'HOLD' || toState === 'SAFE_STOP' || toState === 'ESTOP'
    if (isTrouble && toState !== fromState) progress.print(`robot: ${toState} (${code}): ${text}\n`)
  }

  async #askFor({ name, serial }: RobotSchema): Promise<void> {
    if (this.#flags.yes === true) return
    if (!process.stdin.isTTY || this.#context.json) {
      throw new ArmatureError('bad-argument', `${name} ${serial} is hardware`, {
        expected: 'someone at a terminal to let it move',
        fix: 'say --yes if it may move now',
      })
    }
    const question = `${name} ${serial} is hardware and will move. Let it? Type yes: `
    const answer = await ask(question, process.stdin, process.stderr, this.#context.signal)
    if (answer.trim().toLowerCase() !== 'yes') {
      throw new ArmatureError('interrupted', 'the robot was not armed', { got: `"${answer}"` })
    }
  }
}

/**
 * @returns what was typed; nothing where the terminal is closed before an answer, or fails: a question alone would wait for ever then
 * @throws AbortError when `signal` says so
 */
export async function ask(
  question: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<string> {
  const terminal = createInterface({ input, output })
  const hungUp = new Promise<string>((resolve) => {
    for (const event of ['close', 'error']) terminal.once(event, () => resolve(''))
  })
  try {
    return await Promise.race([terminal.question(question, { signal }), hungUp])
  } finally {
    terminal.close()
  }
}

function requireName({ name }: RobotSchema, { id, robot }: RobotPlace, wanted: RobotSchema | undefined): void {
  if (wanted !== undefined || name === id) return
  throw new ArmatureError('bad-argument', `robot at ${robot}`, {
    expected: id,
    got: name,
    fix: `for a robot without a scene of its kind, say --set env.id=${name}`,
  })
}

/** What a robot must be to stand for `env`. */
export function schemaOfEnv(env: Env): RobotSchema {
  const robot = envRobot(env as GoalEnv)
  return schemaOf(robot.spec, isGoalRobot(robot) && isGoalEnv(env) ? env.goalSpace : undefined)
}

function textOfRobot({ client, isLockstep }: RemoteEnv): string {
  const { name, serial, controlHz } = client.schema
  return `${name} ${serial} ${isLockstep ? 'in lock-step' : `in real time, ${controlHz} Hz`}`
}
