/** What runs in each thread of envs: makes its envs, then sleeps until it is told what to do. */
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { Env } from '../../src/core/env.ts'
import { isGoalEnv } from '../../src/core/env.ts'
import type { ResetPlan } from './env-group.ts'
import { EnvFailure, EnvGroup } from './env-group.ts'
import { makeEnvs } from './env-source.ts'
import { InfoBoard } from './info-board.ts'
import { vectorArrays } from './vector-arrays.ts'
import type {
  FailureMessage,
  MadeMessage,
  MethodCall,
  MethodResult,
  SharedMemory,
  WorkerSetup,
} from './worker-protocol.ts'
import { COMMAND, CONTROL, packFailure, STATUS } from './worker-protocol.ts'

const { source, first, count, control: controlBuffer, port } = workerData as WorkerSetup
const control = new Int32Array(controlBuffer)

const envs = (await attempt(makeAll)) ?? []
let group: EnvGroup | undefined
// It never ends by itself: an end that nobody asked for is how the main thread knows a crash.
for (;;) {
  const command = nextCommand()
  const isDone = await attempt(async () => {
    if (command === COMMAND.share) group = groupIn(argument() as SharedMemory)
    if (command === COMMAND.step) await group!.step()
    if (command === COMMAND.reset) await group!.reset(argument() as ResetPlan)
    if (command === COMMAND.close) await group!.close()
    if (command === COMMAND.call) port.postMessage(await call(argument() as MethodCall))
    return true
  })
  if (isDone === true) respond(STATUS.ok)
}

async function makeAll(): Promise<readonly Env[]> {
  const made = await makeEnvs(source, count)
  port.postMessage({ spec: made[0]!.spec } satisfies MadeMessage)
  respond(STATUS.ok)
  return made
}

/** The envs with their arrays in the memory that the main thread gives. */
function groupIn({ arrays: buffer, infos: infoBuffer, numEnvs, autoreset }: SharedMemory): EnvGroup {
  const arrays = vectorArrays(envs[0]!.spec, numEnvs, buffer)
  const made = new EnvGroup(envs, first, { arrays, infos: new InfoBoard(infoBuffer, 2 * numEnvs), autoreset })
  made.onEnv = (index) => Atomics.store(control, CONTROL.current, index)
  return made
}

/** @throws EnvFailure */
async function call({ index, method, args }: MethodCall): Promise<MethodResult> {
  Atomics.store(control, CONTROL.current, index)
  const env = envs[index - first]!
  const methods = env as unknown as Readonly<Record<string, (...args: readonly unknown[]) => Promise<unknown>>>
  try {
    const value = await methods[method]!.apply(env, [...args])
    return { value, goal: isGoalEnv(env) ? env.goal : undefined }
  } catch (cause) {
    throw new EnvFailure(index, cause)
  }
}

/** Answers with the failure where `work` throws. */
async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    const [index, cause] = error instanceof EnvFailure ? [error.index, error.cause] : [first, error]
    port.postMessage(packFailure(index, cause) satisfies FailureMessage)
    respond(STATUS.failed)
    return undefined
  }
}

/**
 * Sleeps until there is a request beyond the last one answered. To be woken is not enough: a request may be seen and answered between the
 * main thread's store and its notification, which then wakes the next wait.
 */
function nextCommand(): number {
  const answered = Atomics.load(control, CONTROL.response)
  while (Atomics.load(control, CONTROL.request) === answered) Atomics.wait(control, CONTROL.request, answered)
  return Atomics.load(control, CONTROL.command)
}

function argument(): unknown {
  return receiveMessageOnPort(port)!.message as unknown
}

function respond(status: number): void {
  Atomics.store(control, CONTROL.status, status)
  Atomics.store(control, CONTROL.response, Atomics.load(control, CONTROL.request))
  Atomics.notify(control, CONTROL.response)
}
