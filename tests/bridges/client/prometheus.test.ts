import { describe, expect, it } from 'vitest'
import type { BridgeSnapshot } from '../../../bridges/client/bridge-monitor.ts'
import { BridgeMonitor } from '../../../bridges/client/bridge-monitor.ts'
import { prometheusText } from '../../../bridges/client/prometheus.ts'

const snapshot: BridgeSnapshot = {
  ...new BridgeMonitor().snapshot(1_000_000),
  state: 'HOLD',
  armed: true,
  counters: { actions_applied: 12, actions_pending: 3, 'actions_rejected_not-finite': 1 },
  values: { tick_lateness_us_p99: 1850.5, loop_utilization: NaN, reading_age_us_max: Infinity },
}

describe('the page that Prometheus reads', () => {
  it('has a line for each number of each robot, all of one name together behind their type', () => {
    const text = prometheusText([
      { name: 'lab/left', snapshot },
      { name: 'b"\\\n', snapshot: undefined },
    ])
    const lines = text.split('\n')
    expect(text.endsWith('\n')).toBe(true)
    expect(lines).toEqual(
      expect.arrayContaining([
        '# TYPE armature_up gauge',
        'armature_up{robot="lab/left"} 1',
        'armature_up{robot="b\\"\\\\\\n"} 0',
        '# TYPE armature_actions_applied_total counter',
        'armature_actions_applied_total{robot="lab/left"} 12',
        '# TYPE armature_actions_pending gauge',
        'armature_actions_rejected_not_finite_total{robot="lab/left"} 1',
        'armature_tick_lateness_us_p99{robot="lab/left"} 1850.5',
        'armature_loop_utilization{robot="lab/left"} NaN',
        'armature_reading_age_us_max{robot="lab/left"} +Inf',
        'armature_state{robot="lab/left",state="HOLD"} 1',
        'armature_state{robot="lab/left",state="ACTIVE"} 0',
        'armature_armed{robot="lab/left"} 1',
      ]),
    )
    // Of a robot that cannot be reached nothing old is shown.
    expect(lines.filter((line) => line.includes('robot="b'))).toHaveLength(1)
    const pattern =
      /^(# TYPE armature_\w+ (counter|gauge)|armature_\w+\{\w+="([^"\\\n]|\\["\\n])*"(,\w+="\w+")?\} (\S+)|)$/
    expect(lines.filter((line) => !pattern.test(line))).toEqual([])
    const types = lines.filter((line) => line.startsWith('#'))
    expect(new Set(types).size).toBe(types.length)
  })
})
