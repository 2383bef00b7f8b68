import type { ObserverClientOptions } from '../../bridges/client/observer-client.ts'
import { ObserverClient } from '../../bridges/client/observer-client.ts'
import type { HandshakeKeys } from '../../bridges/server/handshake.ts'
import { Authorization } from '../../bridges/zmq/authorization.ts'
import { isKey, readKeyFile } from '../../bridges/zmq/keys.ts'
import type { ClientSecurity } from '../../bridges/zmq/sockets.ts'
import { ArmatureError } from '../core/errors.ts'
import { monotonicUs } from './monotonic-clock.ts'
import type { BridgeKeyFlags } from './robot-names.ts'
import { robotOf } from './robot-names.ts'

/**
 * The keys that `--key` and `--robot-key` name; undefined where neither is given.
 * @throws ArmatureError `bad-argument` for one without the other, and what reading a key file throws.
 */
export async function clientSecurity({ key, robotKey }: BridgeKeyFlags): Promise<ClientSecurity | undefined> {
  if (key === undefined && robotKey === undefined) return undefined
  if (key === undefined || robotKey === undefined) {
    throw new ArmatureError('bad-argument', key === undefined ? '--robot-key' : '--key', {
      expected: 'both --key, which file proves who this is, and --robot-key, who the robot must be',
      got: 'one of them',
      fix: 'the robot prints its public key when it starts',
    })
  }
  const robot = isKey(robotKey) ? robotKey : (await readKeyFile(robotKey)).publicKey
  return { keys: await readKeyFile(key), robotKey: robot }
}

/** Flags of every command that listens as a robot does. */
export interface ListenFlags {
  /** Own key file. */
  readonly key?: string
  /** Who may connect, with `key`. */
  readonly authorized: string
  /** Lets addresses that others can reach go without keys. */
  readonly insecureLan?: boolean
}

/**
 * Whom `--key` and `--authorized` let in; undefined where there is no key.
 * @param wallClock milliseconds since the epoch: keys expire by the calendar
 * @throws ArmatureError what reading a key file or the list throws.
 */
export async function listenSecurity(
  { key, authorized }: ListenFlags,
  wallClock: () => number,
): Promise<HandshakeKeys | undefined> {
  if (key === undefined) return undefined
  return { keys: await readKeyFile(key), authorization: await Authorization.open(authorized, wallClock) }
}

/** A robot that is looked at. */
export interface Observed {
  readonly observer: ObserverClient
  /** Fails when another robot has taken its place. */
  readonly replaced: Promise<never>
}

/**
 * Connects to a robot, by its name or address, to look on.
 * @throws ArmatureError `bad-argument` for an address that is none; `env-failed` where there is no robot, or it refuses
 */
export async function observeRobot(
  robot: string,
  flags: BridgeKeyFlags,
  { onChange, ...options }: Pick<ObserverClientOptions, 'name' | 'imageCodec' | 'onMessage' | 'onChange'>,
): Promise<Observed> {
  const { endpoint, ...keys } = await robotOf(robot, flags)
  const security = await clientSecurity(keys)
  let fail: (error: Error) => void = () => {}
  const replaced = new Promise<never>((_, reject) => (fail = reject))
  // Whoever waits for it hears of it; while nobody does, it is no unhandled error.
  replaced.catch(() => undefined)
  const observer = await ObserverClient.connect({
    endpoint,
    clock: monotonicUs,
    ...options,
    ...(security && { security }),
    onChange: (change, text) => {
      if (change === 'other') fail(new ArmatureError('env-failed', text))
      onChange?.(change, text)
    },
  })
  return { observer, replaced }
}

/** Waits for `seconds`, or for ever; ends early with `signal`, or when `ended` does. */
export async function waitFor(
  seconds: number | undefined,
  signal: AbortSignal,
  ended?: Promise<unknown>,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (seconds !== undefined) timer = setTimeout(resolve, seconds * 1000)
    // Else nothing may keep the process alive.
    else timer = setInterval(() => undefined, 60_000)
  })
  await Promise.race(ended === undefined ? [over] : [over, ended]).finally(() => clearTimeout(timer))
}
