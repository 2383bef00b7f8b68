import { readdirSync } from 'node:fs'
import { Dealer } from 'zeromq'
import { RobotServer } from '../../../bridges/server/robot-server.ts'
import type { Histogram } from '../../../bridges/protocol/histogram.ts'
import { Authorization } from '../../../bridges/zmq/authorization.ts'
import { readKeyFile } from '../../../bridges/zmq/keys.ts'
import { encodeMessage } from '../../../bridges/protocol/codec.ts'
import type { WorkerAnswer, WorkerCommand, WorkerStats, WorkerTask } from './child.ts'
import { BenchRobot, sampleObservation, TripTimer } from './robot.ts'
import { OwnLateness } from './own-lateness.ts'
import { collectGarbage } from '../garbage.ts'
import { monotonicUs } from '../../cli/monotonic-clock.ts'

/**
 * The robot's side of `armature bench bridge`, in a process of its own: a robot server, or a bare socket that sends the same bytes. The only
 * argument is a {@link WorkerTask} as JSON; it ends with its parent.
 */
const task = JSON.parse(process.argv[2]!) as WorkerTask
process.on('disconnect', () => process.exit())
// Ctrl-C reaches all processes of a terminal; the parent ends this one.
process.on('SIGINT', () => undefined)
await (task.kind === 'robot' ? serve(task) : echo(task))

async function serve({
  mode,
  controlHz,
  cameras,
  endpoints,
  messagesPerSecond = 1e6,
  keys,
}: Extract<WorkerTask, { kind: 'robot' }>): Promise<void> {
  const robot = new BenchRobot(controlHz, cameras, mode === 'lockstep')
  const security = keys && {
    keys: await readKeyFile(keys.robot),
    authorization: await Authorization.open(keys.authorized, Date.now),
  }
  const server = new RobotServer({
    robot,
    mode,
    clock: monotonicUs,
    messagesPerSecond,
    ...(endpoints === undefined ? {} : { endpoint: endpoints }),
    ...(security === undefined ? {} : { security }),
  })
  await server.start()
  const own = new OwnLateness()
  process.on('message', (command: WorkerCommand) => {
    if (command.name === 'stats') answer({ stats: statsOf(server, own, command.collects) })
    else if (command.name === 'clear') {
      server.tickLateness.clear()
      own.histogram.clear()
    } else robot.pace({ ...command, onDone: (durationsUs) => answer({ durationsUs }) })
  })
  answer({ endpoints: server.endpoints })
}

function statsOf({ counters, tickLateness, state }: RobotServer, own: OwnLateness, collects: boolean): WorkerStats {
  if (collects) collectGarbage()
  const { rss, heapUsed } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  return {
    counters,
    state,
    tickLatenessUs: percentilesOf(tickLateness),
    ownLatenessUs: percentilesOf(own.histogram),
    rssBytes: rss,
    heapBytes: heapUsed,
    openFiles: openFiles(),
    cpuUs: user + system,
    atUs: monotonicUs(),
  }
}

function percentilesOf(histogram: Histogram): WorkerStats['tickLatenessUs'] {
  const at = (percent: number): number => histogram.percentileUs(percent)
  return { p50: at(50), p99: at(99), p999: at(99.9), max: histogram.maxUs }
}

function openFiles(): number {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
}

/** A bare DEALER that sends an observation's bytes and gets an action's bytes back, by the same schedule as the robot. */
async function echo({ endpoint, cameras, keys }: Extract<WorkerTask, { kind: 'echo' }>): Promise<void> {
  const bytes = encodeMessage(sampleObservation(new BenchRobot(50, cameras, true)))
  const curve = keys && {
    curveServerKey: keys.serverKey,
    curvePublicKey: keys.publicKey,
    curveSecretKey: keys.secretKey,
  }
  const dealer = new Dealer({ linger: 0, ...curve })
  dealer.connect(endpoint)
  process.on('message', (command: WorkerCommand) => {
    if (command.name === 'pace') void trips(dealer, bytes, command.periodUs, command.trips)
  })
  answer({ observationBytes: bytes.length })
}

async function trips(dealer: Dealer, bytes: Buffer, periodUs: number, count: number): Promise<void> {
  const timer = new TripTimer(periodUs)
  while (timer.durationsUs.length < count) {
    await timer.due()
    timer.begin()
    await dealer.send(bytes)
    await dealer.receive()
    timer.end()
  }
  answer({ durationsUs: timer.durationsUs })
}

function answer(message: WorkerAnswer): void {
  process.send?.(message)
}
