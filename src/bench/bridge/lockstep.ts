import { join } from 'node:path'
import { curveKeyPair, Router } from 'zeromq'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { encodeMessage, decodeMessage } from '../../../bridges/protocol/codec.ts'
import { authorizeKey, createKeyFile } from '../../../bridges/zmq/keys.ts'
import type { ClientSecurity } from '../../../bridges/zmq/sockets.ts'
import { BenchChild } from './child.ts'
import { median, percentiles } from './numbers.ts'
import type { BenchCameras } from './robot.ts'
import { BenchRobot, sampleObservation } from './robot.ts'
import { monotonicUs } from '../../cli/monotonic-clock.ts'
import type { Section, SectionContext } from './section.ts'

const SMALL: BenchCameras = { count: 1, height: 64, width: 64 }
const LARGE: BenchCameras = { count: 1, height: 480, width: 640 }
const HZ = 50
const LARGE_HZ = 20
/** The two sides of a comparison take turns so often: a load that comes and goes meets both. */
const ROUNDS = 10
/** Robots run for hours: their code is compiled when it counts, which takes a few thousand trips. */
const WARM_UP_US = 3e6
const WARM_UP_TRIPS = 100
const DECODES = 20_000

/** Something that makes round trips between a child and this process. */
interface Side {
  readonly child: BenchChild
  close(): Promise<void>
}

/** Round trips without a control period to wait for, each beside a bare socket, and the cost of decoding. */
export const lockstepSections: Readonly<Record<string, Section>> = {
  round_trip: {
    measures: `from reading a robot, over its observation of 12 KB, to the action that answers it, and a bare DEALER/ROUTER beside it; ${HZ} Hz`,
    run: (context) => compare(context, { name: '', cameras: SMALL, hz: HZ, isCurve: false }),
  },
  curve: {
    measures: 'the same with CURVE on both',
    run: (context) => compare(context, { name: '_curve', cameras: SMALL, hz: HZ, isCurve: true }),
  },
  large: {
    measures: `the same without CURVE, observations of 0.9 MB, ${LARGE_HZ} Hz`,
    run: (context) => compare(context, { name: '_large', cameras: LARGE, hz: LARGE_HZ, isCurve: false }),
  },
  large_curve: {
    measures: 'the same with CURVE on both',
    run: (context) => compare(context, { name: '_large_curve', cameras: LARGE, hz: LARGE_HZ, isCurve: true }),
  },
  steps: { measures: 'such round trips and bare ones, each as soon as the one before has ended', run: steps },
  decode: { measures: 'decoding and checking an observation of 12 KB', run: async () => decode() },
}

interface Comparison {
  readonly name: string
  readonly cameras: BenchCameras
  readonly hz: number
  readonly isCurve: boolean
}

async function compare(
  context: SectionContext,
  { name, cameras, hz, isCurve }: Comparison,
): Promise<Record<string, number>> {
  const [bridge, bare] = await openSides(context, cameras, isCurve)
  try {
    const trips = Math.max(1, Math.round((context.seconds * hz) / ROUNDS))
    const times: { readonly ours: readonly number[]; readonly echo: readonly number[] }[] = []
    while (times.length < ROUNDS) {
      context.check()
      const echo = await bare.child.pace(1e6 / hz, trips)
      times.push({ echo, ours: await bridge.child.pace(1e6 / hz, trips) })
    }
    return {
      ...percentiles(
        `round_trip${name}_us`,
        times.flatMap(({ ours }) => ours),
      ),
      ...percentiles(
        `bare_echo${name}_us`,
        times.flatMap(({ echo }) => echo),
      ),
      [`round_trip${name}_over_echo`]: median(times.map(({ ours, echo }) => median(ours) / median(echo))),
    }
  } finally {
    await Promise.all([bridge.close(), bare.close()])
  }
}

/** The bridge and a bare echo, both warm. */
async function openSides(
  context: Pick<SectionContext, 'folder'>,
  cameras: BenchCameras,
  isCurve: boolean,
): Promise<readonly [Side, Side]> {
  const bridge = await openBridge(context, cameras, isCurve)
  let bare: Side | undefined
  try {
    bare = await openEcho(cameras, isCurve)
    for (const { child } of [bridge, bare]) await warmUp(child)
    return [bridge, bare]
  } catch (error) {
    await Promise.all([bridge.close(), bare?.close()])
    throw error
  }
}

async function warmUp(child: BenchChild): Promise<void> {
  const endUs = monotonicUs() + WARM_UP_US
  while (monotonicUs() < endUs) await child.pace(0, WARM_UP_TRIPS)
}

async function steps({ seconds, folder }: SectionContext): Promise<Record<string, number>> {
  const sides = await openSides({ folder }, SMALL, false)
  try {
    const rates: { readonly ours: number; readonly echo: number }[] = []
    const warm = await Promise.all(sides.map(async ({ child }) => median(await child.pace(0, WARM_UP_TRIPS))))
    while (rates.length < ROUNDS) {
      const [ours, echo] = [await rate(sides[0], warm[0]!, seconds), await rate(sides[1], warm[1]!, seconds)]
      rates.push({ ours, echo })
    }
    return {
      throughput_steps_per_s: median(rates.map(({ ours }) => ours)),
      throughput_echoes_per_s: median(rates.map(({ echo }) => echo)),
      step_over_echo: median(rates.map(({ ours, echo }) => echo / ours)),
    }
  } finally {
    await Promise.all(sides.map((side) => side.close()))
  }
}

/** Trips per second, one after the other. */
async function rate({ child }: Side, usPerTrip: number, seconds: number): Promise<number> {
  const trips = Math.ceil((seconds * 1e6) / usPerTrip / ROUNDS)
  const beginUs = monotonicUs()
  await child.pace(0, trips)
  return (trips * 1e6) / (monotonicUs() - beginUs)
}

function decode(): Record<string, number> {
  const bytes = encodeMessage(sampleObservation(new BenchRobot(HZ, SMALL, true)))
  const once = (): number => {
    const begin = process.hrtime.bigint()
    decodeMessage(bytes)
    return Number(process.hrtime.bigint() - begin) / 1000
  }
  for (let i = 0; i < DECODES; i++) once()
  return percentiles('decode_us', Array.from({ length: DECODES }, once))
}

/** A robot in lock-step and a client that answers each observation at once. */
async function openBridge(
  { folder }: Pick<SectionContext, 'folder'>,
  cameras: BenchCameras,
  isCurve: boolean,
): Promise<Side> {
  const keys = isCurve ? await makeKeys(folder) : undefined
  const child = await BenchChild.start({
    kind: 'robot',
    mode: 'lockstep',
    controlHz: HZ,
    cameras,
    ...(keys && { keys: keys.files }),
  })
  let client: PolicyClient | undefined
  const close = async (): Promise<void> => {
    child.end()
    await client?.close()
  }
  try {
    client = await PolicyClient.connect({
      endpoint: child.endpoints.control,
      clock: monotonicUs,
      timeoutMs: 20_000,
      observationTimeoutMs: 600_000,
      ...(keys && { security: keys.client }),
    })
    await client.lease()
    await client.arm()
    const { observationSeq } = await client.reset()
    await client.start()
    const action = new Float32Array(7)
    client.act(action, { observationSeq })
    void answerAll(client, action)
  } catch (error) {
    await close()
    throw error
  }
  return { child, close }
}

async function answerAll(client: PolicyClient, action: Float32Array): Promise<void> {
  try {
    for await (const { observationSeq } of client.observations()) client.act(action, { observationSeq })
  } catch {
    // Closed at the end of the measurement; if it fails before, no trip ends, and the child says so.
  }
}

async function makeKeys(folder: string): Promise<{
  readonly files: { readonly robot: string; readonly authorized: string }
  readonly client: ClientSecurity
}> {
  const name = (what: string): string => join(folder, `${what}-${monotonicUs()}`)
  const files = { robot: name('robot'), authorized: name('authorized') }
  const robot = await createKeyFile(files.robot, 'robot')
  const keys = await createKeyFile(name('client'), 'client')
  await authorizeKey(files.authorized, { publicKey: keys.publicKey, name: 'client', role: 'controller' })
  return { files, client: { keys, robotKey: robot.publicKey } }
}

/** A bare ROUTER in this process that answers as many bytes as an action has, and a DEALER in a child. */
async function openEcho(cameras: BenchCameras, isCurve: boolean): Promise<Side> {
  const server = curveKeyPair()
  const router = new Router({ linger: 0, ...(isCurve && { curveServer: true, curveSecretKey: server.secretKey }) })
  await router.bind('tcp://127.0.0.1:*')
  void reply(router, sampleAction())
  try {
    const child = await BenchChild.start({
      kind: 'echo',
      endpoint: router.lastEndpoint!,
      cameras,
      ...(isCurve && { keys: { ...curveKeyPair(), serverKey: server.publicKey } }),
    })
    const close = async (): Promise<void> => {
      child.end()
      router.close()
    }
    return { child, close }
  } catch (error) {
    router.close()
    throw error
  }
}

async function reply(router: Router, bytes: Buffer): Promise<void> {
  for await (const [id] of router) await router.send([id!, bytes])
}

function sampleAction(): Buffer {
  return encodeMessage({
    kind: 'action',
    session: 'f'.repeat(32),
    seq: 1000,
    timeUs: monotonicUs(),
    epoch: 12_345_678,
    lease: 'f'.repeat(32),
    observationSeq: 1000,
    dueUs: 0,
    ttlUs: 0,
    action: new Float32Array(7),
  })
}
