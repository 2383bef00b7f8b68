import type { BridgeSnapshot } from '../../bridges/client/bridge-monitor.ts'
import type { ConnectionChange } from '../../bridges/client/session.ts'
import { BridgeMonitor } from '../../bridges/client/bridge-monitor.ts'
import type { BridgeKeyFlags } from './robot-names.ts'
import { observeRobot, waitFor } from './bridge-connect.ts'
import { monotonicUs } from './monotonic-clock.ts'
import type { CliContext } from './context.ts'
import { table } from './table.ts'

export interface WatchOptions extends BridgeKeyFlags {
  /** Ends by itself then; default: with Ctrl-C, under `--json` after 2. */
  readonly seconds?: number
}

/** After these there is nothing to say of the connection. */
const WELL: ReadonlySet<ConnectionChange> = new Set(['back', 'restarted', 'fresh'])
const TERMINAL_MS = 250
const LINES_MS = 1000
const SNAPSHOT_S = 2
const HOME = '\u001b[H'
const CLEAR_TO_END_OF_LINE = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/**
 * `armature watch`: what goes on at a robot's bridge, live. On a terminal a table, elsewhere a line a second and one for each event.
 * @returns what was last seen
 * @throws ArmatureError `env-failed` where there is no robot, or it refuses, or another one has taken its place
 */
export async function watch(context: CliContext, endpoint: string, options: WatchOptions): Promise<BridgeSnapshot> {
  const { json, quiet, signal } = context
  const isTable = !json && !quiet && context.stdout.isTTY === true
  const monitor = new BridgeMonitor()
  let connection = 'connected'
  const { observer, replaced } = await observeRobot(endpoint, options, {
    name: 'watch',
    onMessage: (message, arrival) => {
      monitor.add(message, arrival)
      if (!isTable && message.kind === 'event') context.print(`event  ${message.code}: ${message.text}`)
    },
    onChange: (change, text) => {
      connection = WELL.has(change) ? 'connected' : text
      if (!isTable) context.print(`connection  ${change}: ${text}`)
    },
  })
  const show = (): void => {
    const snapshot = monitor.snapshot(monotonicUs())
    if (isTable) context.stdout.write(redraw(watchTable(endpoint, snapshot, connection)))
    else context.print(watchLine(snapshot))
  }
  const timer = setInterval(show, isTable ? TERMINAL_MS : LINES_MS)
  try {
    await waitFor(options.seconds ?? (json ? SNAPSHOT_S : undefined), signal, replaced)
    return monitor.snapshot(monotonicUs())
  } finally {
    clearInterval(timer)
    await observer.close()
  }
}

/** Over what was there before, line by line, so that nothing flickers. */
function redraw(text: string): string {
  return `${HOME}${text.replaceAll('\n', `${CLEAR_TO_END_OF_LINE}\n`)}${CLEAR_TO_END_OF_LINE}\n${CLEAR_BELOW}`
}

/** What `watch` shows on a terminal. */
export function watchTable(endpoint: string, snapshot: BridgeSnapshot, connection: string): string {
  const { robot, mode, controlHz, state, armed, epoch, lease, episode, step, rejected, missed, counters, values } =
    snapshot
  const lateness = values['tick_lateness_us_p99']
  const rows = [
    ['robot', `${robot}  ${endpoint}  ${mode} at ${controlHz} Hz  ${connection}`],
    ['state', `${state}${armed ? '  armed' : ''}  epoch ${epoch}`],
    ['lease', lease],
    ['episode', `${episode}, step ${step}`],
    ['observations', `${rate(snapshot.observationHz)}  ${bytes(snapshot.bytesPerSecond)}/s  ${missed} missed`],
    ['latency', spread(snapshot.latencyUs)],
    ['jitter', spread(snapshot.jitterUs)],
    ['actions', `${rate(snapshot.appliedHz)} applied  queue ${snapshot.queueLength}  ${rejected} rejected`],
    ['clamped', clampedText(snapshot)],
    [
      'watchdogs',
      `soft ${counters['watchdog_soft'] ?? 0}, hard ${counters['watchdog_hard'] ?? 0}${lateness === undefined ? '' : `  tick lateness p99 ${duration(lateness)}`}`,
    ],
  ]
  const events = snapshot.events.map(({ agoUs, code, text }) => [`  ${Math.round(agoUs / 1e6)} s ago`, code, text])
  return `${table(rows)}\nevents\n${events.length === 0 ? '  none yet' : table(events)}`
}

/** What `watch` writes each second elsewhere. */
export function watchLine(snapshot: BridgeSnapshot): string {
  const { state, armed, epoch, latencyUs, queueLength, missed, rejected } = snapshot
  return [
    `${state}${armed ? ' armed' : ''}`,
    `epoch ${epoch}`,
    `${rate(snapshot.observationHz)} observed`,
    `${rate(snapshot.appliedHz)} applied`,
    `latency p50 ${duration(latencyUs.p50)} p99 ${duration(latencyUs.p99)}`,
    `clamped ${percent(snapshot.clampedShare)}`,
    `queue ${queueLength}`,
    `rejected ${rejected}`,
    `missed ${missed}`,
  ].join('  ')
}

function clampedText({ clamped, clampedShare }: BridgeSnapshot): string {
  const limits = Object.entries(clamped).map(([name, count]) => `${name} ${count}`)
  return `${percent(clampedShare)} of actions${limits.length === 0 ? '' : `: ${limits.join(', ')}`}`
}

function spread({ p50, p99, max }: BridgeSnapshot['latencyUs']): string {
  return `p50 ${duration(p50)}  p99 ${duration(p99)}  max ${duration(max)}`
}

/** Microseconds, as people read them. */
export function duration(us: number): string {
  if (us < 1000) return `${Math.round(us)} us`
  return us < 1e6 ? `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms` : `${(us / 1e6).toFixed(1)} s`
}

/** Bytes, as people read them. */
export function bytes(count: number): string {
  if (count < 1000) return `${Math.round(count)} B`
  return count < 1e6 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`
}

function rate(hz: number): string {
  return `${hz.toFixed(1)}/s`
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`
}
