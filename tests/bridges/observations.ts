import type { ObservationContent, ObservationMessage } from '../../bridges/protocol/messages.ts'

/** An observation of a robot with two joints and no camera, as it comes by the wire. */
export function observationOf(
  observationSeq: number,
  step: number,
  change: Partial<ObservationContent & Pick<ObservationMessage, 'session' | 'bridgeState' | 'epoch'>> = {},
): ObservationMessage {
  return {
    kind: 'observation',
    session: 'aa',
    seq: observationSeq,
    timeUs: 1_000_000 + 50_000 * observationSeq,
    epoch: 3,
    bridgeState: 'ACTIVE',
    armed: true,
    observationSeq,
    captureUs: 1_000_000 + 50_000 * observationSeq,
    stale: false,
    proprio: Float32Array.of(observationSeq, 0),
    state: new Float32Array(0),
    images: {},
    reward: -observationSeq,
    terminated: false,
    truncated: false,
    info: {},
    episode: { id: 1, step },
    health: { dropped: 0, rejected: 2, queueLength: 1 },
    ...change,
  }
}

/** What was applied before an observation; `seq` 0: by the robot itself. */
export function appliedOf(seq: number, clamped = 0): Pick<ObservationContent, 'applied'> {
  return {
    applied: {
      client: 'policy',
      clientId: 1,
      seq,
      observationSeq: seq,
      action: Float32Array.of(seq, -seq),
      clamped,
      lateUs: 0,
    },
  }
}
