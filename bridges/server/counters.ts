import type { Dispatcher } from './dispatcher.ts'
import type { Motion } from './motion.ts'
import type { RobotTransport } from './transport.ts'

/** Where a robot's numbers come from. */
export interface CounterSources {
  readonly motion: Motion
  readonly watchdogs: { readonly soft: number; readonly hard: number; readonly leases: number }
  readonly periodsSkipped: number
  readonly listenerErrors: number
  /** Observations that were not compressed. */
  readonly notCompressed: number
  readonly peers: number
  readonly received: Dispatcher['received'] | undefined
  readonly sent: RobotTransport['counts'] | undefined
}

/** Cumulative whole numbers by the names that they have in `metrics`. */
export function countersOf(sources: CounterSources): Record<string, number> {
  const { motion, watchdogs, periodsSkipped, listenerErrors, notCompressed, peers, received, sent } = sources
  return {
    ...motion.counts(),
    observations_sent: sent?.observation.sent ?? 0,
    observations_dropped: (sent?.observation.dropped ?? 0) + (sent?.observation.again ?? 0),
    observations_not_compressed: notCompressed,
    watchdog_soft: watchdogs.soft,
    watchdog_hard: watchdogs.hard,
    periods_skipped: periodsSkipped,
    listener_errors: listenerErrors,
    lease_changes: watchdogs.leases,
    peers,
    messages_turned_away: sent?.turnedAway ?? 0,
    control_rx: received?.control ?? 0,
    control_rx_bytes: received?.controlBytes ?? 0,
    action_rx: received?.action ?? 0,
    action_rx_bytes: received?.actionBytes ?? 0,
    control_tx: sent?.control.sent ?? 0,
    control_tx_bytes: sent?.control.sentBytes ?? 0,
    observation_tx_bytes: sent?.observation.sentBytes ?? 0,
    telemetry_tx: sent?.telemetry.sent ?? 0,
    telemetry_tx_bytes: sent?.telemetry.sentBytes ?? 0,
    telemetry_dropped: sent?.telemetry.dropped ?? 0,
  }
}
