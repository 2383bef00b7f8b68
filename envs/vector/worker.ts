/** What runs in each thread of a {@link WorkerVectorEnv}: makes its envs, then sleeps until it is told what to do. */
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { ResetPlan } from './env-group.ts'
import { EnvFailure, EnvGroup } from './env-group.ts'
import { makeEnvs } from './env-source.ts'
import { InfoBoard } from './info-board.ts'
import { vectorArrays } from './vector-arrays.ts'
import type { FailureMessage, MadeMessage, SharedMemory, WorkerSetup } from './worker-protocol.ts'
import { COMMAND, CONTROL, packFailure, STATUS } from './worker-protocol.ts'

const { source, first, count, control: controlBuffer, port } = workerData as WorkerSetup
const control = new Int32Array(controlBuffer)

const group = await attempt(makeGroup)
// It never ends by itself: an end that nobody asked for is how the main thread knows a crash.
for (;;) {
  const command = nextCommand()
  const isDone = await attempt(async () => {
    if (command === COMMAND.step) await group!.step()
    if (command === COMMAND.reset) await group!.reset(argument() as ResetPlan)
    if (command === COMMAND.close) await group!.close()
    return true
  })
  if (isDone === true) respond(STATUS.ok)
}

/** The envs, once the main thread has given the memory to put their arrays in. */
async function makeGroup(): Promise<EnvGroup> {
  const envs = await makeEnvs(source, count)
  const { spec } = envs[0]!
  port.postMessage({ spec } satisfies MadeMessage)
  respond(STATUS.ok)
  nextCommand()
  const { arrays: buffer, infos: infoBuffer, numEnvs, autoreset } = argument() as SharedMemory
  const arrays = vectorArrays(spec, numEnvs, buffer)
  const made = new EnvGroup(envs, first, { arrays, infos: new InfoBoard(infoBuffer, 2 * numEnvs), autoreset })
  made.onEnv = (index) => Atomics.store(control, CONTROL.current, index)
  respond(STATUS.ok)
  return made
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
