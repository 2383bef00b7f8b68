import { setTimeout as sleep } from 'node:timers/promises'
import { RobotRefusal } from '../../bridges/client/robot-refusal.ts'
import type { ErrorCode } from '../../bridges/protocol/errors.ts'
import type { RemoteEnv } from '../../bridges/client/remote-env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Policy } from '../core/policy.ts'
import { evaluatePolicy } from '../evaluate/policy.ts'
import { agentPolicy } from '../run/policies.ts'
import type { Parts } from '../compose/parts.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import type { DriveOptions } from './drive.ts'
import { movingRobot, stepsOf, textOfEpisode } from './drive.ts'
import { loadRun } from '../compose/load-run.ts'
import type { RobotConnections } from './remote.ts'

export interface ServeOptions extends Pick<DriveOptions, 'to' | 'maxSeconds'> {
  /** Episodes after which it ends; default: never. */
  readonly episodes?: number
}

export interface ServeReport {
  readonly run: string
  readonly step: number
  /** Episodes that were played to their end. */
  readonly episodes: number
}

/** Between two tries to find a robot, or to get its lease. */
const RETRY_MS = 1000
/** Between two looks at whether an operator has armed the robot. */
const LOOK_MS = 50
/** Refusals that no waiting mends. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'unauthorized',
  'role_forbidden',
  'schema_mismatch',
  'version_unsupported',
])

/**
 * `armature serve`: a policy that is there for a robot. It waits for the robot to appear, holds its lease, and never arms it: an operator does
 * that (`armature arm`), and from then on it plays one episode after another until an operator stops the robot, which disarms it. After a
 * latched stop, a lost connection or a restart of the robot it begins again with waiting. Ends at Ctrl-C.
 *
 * @throws ArmatureError `bad-argument` for a robot of another kind than the run was trained on, or refusals that no waiting mends;
 *   `interrupted`
 */
export async function serveRun(
  context: CliContext,
  path: string,
  options: ServeOptions,
  makeConnections: () => RobotConnections,
): Promise<ServeReport> {
  const waiting = new Waiting(context)
  const left = { episodes: options.episodes ?? Infinity }
  let step = 0
  while (left.episodes > 0) {
    throwIfInterrupted(context)
    const robots = makeConnections()
    try {
      const { parts, step: newest } = await loadRun(path, { env: options.to, robots })
      step = newest
      await serveRobot(context, parts, options, { waiting, left })
    } catch (error) {
      throwIfInterrupted(context)
      if (!(error instanceof ArmatureError) || error.code !== 'env-failed') throw error
      if (error instanceof RobotRefusal && FINAL.has(error.reason)) throw error
      waiting.say(error.message)
    } finally {
      await robots.close()
    }
    if (left.episodes > 0) await sleep(RETRY_MS, undefined, { signal: context.signal }).catch(() => undefined)
  }
  return { run: path, step, episodes: options.episodes ?? 0 }
}

/** Says why nothing moves, once for each reason. */
class Waiting {
  readonly #context: CliContext
  #last = ''

  constructor(context: CliContext) {
    this.#context = context
  }

  say(reason: string): void {
    if (reason !== this.#last) this.#context.print(`waiting: ${reason}`)
    this.#last = reason
  }

  over(): void {
    this.#last = ''
  }
}

interface Service {
  readonly waiting: Waiting
  readonly left: { episodes: number }
}

/** Plays episodes whenever the robot is armed, until it is lost or enough are played. */
async function serveRobot(
  context: CliContext,
  parts: Parts,
  options: ServeOptions,
  { waiting, left }: Service,
): Promise<void> {
  const env = parts.robot!
  const maxSteps = stepsOf(env, options)
  const policy = agentPolicy(parts)
  await movingRobot(context, env, async () => {
    for (let seed = 0; left.episodes > 0; seed++) {
      await untilArmed(context, env, waiting, options.to)
      waiting.over()
      const isWhole = await playOne(context, env, policy, { seed, ...(maxSteps === undefined ? {} : { maxSteps }) })
      if (isWhole) left.episodes--
    }
  })
}

async function untilArmed(
  context: CliContext,
  { client, spec }: RemoteEnv,
  waiting: Waiting,
  to: string,
): Promise<void> {
  while (!client.armed) {
    throwIfInterrupted(context)
    if (!client.hasLease || client.state === 'IDLE') await client.lease()
    if (client.state === 'SAFE_STOP' || client.state === 'ESTOP') {
      throw new ArmatureError('env-failed', `${spec.id} is in ${client.state}`, {
        fix: `an operator must clear it: ${context.invocation(`clear ${to}`)}`,
      })
    }
    waiting.say(`${spec.id} is not armed; an operator lets it go with ${context.invocation(`arm ${to}`)}`)
    await sleep(LOOK_MS)
  }
}

/** @returns false where an operator stopped it */
async function playOne(
  context: CliContext,
  env: RemoteEnv,
  policy: Policy,
  { seed, maxSteps }: { readonly seed: number; readonly maxSteps?: number },
): Promise<boolean> {
  try {
    await evaluatePolicy(env, policy, {
      episodes: 1,
      firstSeed: seed,
      ...(maxSteps === undefined ? {} : { maxSteps }),
      onObservation: () => throwIfInterrupted(context),
      onEpisode: (result) => context.print(textOfEpisode(result)),
    })
    return true
  } catch (error) {
    throwIfInterrupted(context)
    const { state, armed } = env.client
    if (state === 'READY' && !armed) {
      context.print('an operator stopped the robot')
      return false
    }
    throw error
  }
}
