import type { MessagePort } from 'node:worker_threads'
import type { EnvSpec } from '../../src/core/env.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { AutoresetMode } from '../../src/core/vector-env.ts'
import { EnvFailure } from './env-group.ts'
import type { EnvSource } from './env-source.ts'

/**
 * Main thread and worker talk through one Int32Array in shared memory. The main thread leaves arguments in the shared arrays or in the
 * port, writes COMMAND, counts REQUEST up and notifies; the worker, which sleeps on REQUEST, does it, writes STATUS, sets RESPONSE to
 * REQUEST and notifies. Messages in the port are read synchronously after a notification, so neither side needs its event loop for them.
 * The first request is to make the envs; it is under way when the worker starts.
 */
export const CONTROL = { request: 0, command: 1, response: 2, status: 3, current: 4 } as const
export const CONTROL_BYTES = 64

export const COMMAND = { share: 1, reset: 2, step: 3, close: 4, call: 5 } as const
export type Command = (typeof COMMAND)[keyof typeof COMMAND]

/** `failed`: a {@link FailureMessage} lies in the port. `dead` is written by the main thread when the worker has ended. */
export const STATUS = { ok: 0, failed: 1, dead: 2 } as const

export interface WorkerSetup {
  readonly source: EnvSource
  /** The worker's envs are `first` to `first + count - 1` of the vector. */
  readonly first: number
  readonly count: number
  readonly control: SharedArrayBuffer
  readonly port: MessagePort
}

/** What a worker answers when its envs are made. */
export interface MadeMessage {
  readonly spec: EnvSpec
}

/** Argument of the command `share`. */
export interface SharedMemory {
  readonly arrays: SharedArrayBuffer
  readonly infos: SharedArrayBuffer
  readonly numEnvs: number
  readonly autoreset: AutoresetMode
}

/** Argument of the command `call`: a method of one env, by itself. */
export interface MethodCall {
  readonly index: number
  readonly method: string
  readonly args: readonly unknown[]
}

/** Its answer. */
export interface MethodResult {
  readonly value: unknown
  /** Of the env, where it has goals. */
  readonly goal: Float32Array | undefined
}

/** An {@link EnvFailure} on its way between threads. */
export interface FailureMessage {
  readonly index: number
  readonly code: ErrorCode | undefined
  readonly message: string
  readonly stack: string | undefined
}

export function packFailure(index: number, cause: unknown): FailureMessage {
  return {
    index,
    code: cause instanceof ArmatureError ? cause.code : undefined,
    message: cause instanceof Error ? cause.message : String(cause),
    stack: cause instanceof Error ? cause.stack : undefined,
  }
}

/** The failure with a cause of the same code, message and stack. */
export function unpackFailure({ index, code, message, stack }: FailureMessage): EnvFailure {
  const cause = code === undefined ? new Error(message) : new ArmatureError(code, message)
  if (stack !== undefined) cause.stack = stack
  return new EnvFailure(index, cause)
}
