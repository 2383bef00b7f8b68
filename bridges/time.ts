import { setTimeout as realSleep } from 'node:timers/promises'

/** Time as an argument: the real one, or one that a test moves. */
export interface Time {
  /** Monotonic, whole microseconds. */
  readonly clock: () => number
  /** Resolves after `ms` milliseconds, or as soon as `signal` is aborted; never rejects. */
  readonly sleep: Sleep
}

export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>

/** The sleep of the machine's own clock. */
export const sleepReally: Sleep = async (ms, signal) => {
  if (signal?.aborted === true) return
  // A timer alone must not keep a process alive that has nothing else to do.
  await realSleep(ms, undefined, { ...(signal && { signal }) }).catch(() => undefined)
}

/** Does `work` every `ms` until `signal` is aborted; what it throws goes to `onError`. */
export async function every(
  { sleep }: Pick<Time, 'sleep'>,
  ms: number,
  work: () => void,
  signal: AbortSignal,
  onError: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(ms, signal)
    if (signal.aborted) return
    try {
      work()
    } catch (error) {
      onError(error)
    }
  }
}

/** What `promise` resolves to, or `otherwise` after `ms`. What it does later is nobody's business any more. */
export async function within<T, U>(
  time: Pick<Time, 'sleep'>,
  promise: Promise<T>,
  ms: number,
  otherwise: U,
): Promise<T | U> {
  const over = new AbortController()
  try {
    return await Promise.race([promise, time.sleep(ms, over.signal).then(() => otherwise)])
  } finally {
    over.abort()
  }
}

/** The result of calling a function that others wrote: it may throw before it gives a promise, or give none. */
export async function attempt<T>(work: () => T | Promise<T>): Promise<T> {
  return work()
}

/** Calls a listener that others wrote, and tells `onError` what it throws, now or later. */
export function notify(listener: () => unknown, onError: (error: unknown) => void): void {
  attempt(listener).catch(onError)
}

/** The first line of an error, for a peer or a log: no stack. */
export function firstLineOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!
}
